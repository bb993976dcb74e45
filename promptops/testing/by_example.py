"""For pytest: examples as parameters of a test, their ids as its ids, so that a prompt change is
tested like code.

from promptops.testing.by_example import by_example

@pytest.mark.parametrize("example", by_example("data/tickets.jsonl"))
def test_reads_the_id(example, triage):
    assert example.expected["user_id"] in triage(ticket=example.inputs["ticket"]).text

def test_the_candidate_is_not_worse(study):
    study.compare("v3", "v2").require("not_worse", margin=0.02)
"""

from __future__ import annotations

from typing import Any

from ..dataset import Dataset
from ..lab.comparison import Comparison

__all__ = ["by_example", "changed"]


def by_example(dataset: object, *, split: str | None = None, **columns: Any) -> list[object]:
    """A `pytest.param` an example, its id as the parameter's id. dataset, columns: as
    `Dataset.read` takes them.
    """
    import pytest

    data = dataset if isinstance(dataset, Dataset) else Dataset.read(dataset, **columns)
    chosen = data.split(split) if split is not None else data
    return [pytest.param(example, id=example.id) for example in chosen]


def changed(comparison: Comparison, name: str | None = None) -> list[object]:
    """A `pytest.param` for each example that changed, biggest loss first: the gain of the candidate
    on it, from -1 to 1.
    """
    import pytest

    flips = comparison.flips(name)
    return [
        pytest.param(float(gain), id=str(example))
        for example, gain in zip(flips["example_id"], flips["gain"], strict=True)
    ]
