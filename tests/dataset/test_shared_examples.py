"""Examples in several tasks are counted once each, and a task without any of its own is refused."""

from __future__ import annotations

import pytest

from promptops.dataset.shared_examples import shared_by_tasks
from promptops.errors import DatasetError, StatisticsError


def test_an_example_in_three_tasks_is_one_shared_example() -> None:
    held = {"a": {1, 2, 3}, "b": {3, 4}, "c": {3, 5, 2}, "none": set[int]()}
    assert shared_by_tasks(held, DatasetError) == 2
    assert shared_by_tasks({"a": {1}, "b": {2}}, DatasetError) == 0


@pytest.mark.parametrize("fault", [DatasetError, StatisticsError])
def test_a_task_within_another_is_refused(
    fault: type[DatasetError] | type[StatisticsError],
) -> None:
    """In either order, with the caller's own error, which names both."""
    for held in ({"a": {1, 2}, "b": {2}}, {"b": {2}, "a": {1, 2}}):
        with pytest.raises(fault, match="the same examples, which would count twice") as found:
            shared_by_tasks(held, fault)
        assert "'a'" in str(found.value)
        assert "'b'" in str(found.value)
