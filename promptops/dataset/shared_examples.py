"""Examples that are in several tasks: how many there are, and tasks that have none of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from itertools import combinations

from ..errors import PromptOpsError

__all__ = ["shared_by_tasks"]


def shared_by_tasks(held: Mapping[str, Set[object]], fault: type[PromptOpsError]) -> int:
    """How many examples are in more than one task. held: task -> what its examples are.

    Raises `fault` for two tasks of which one has no example that is not in the other.
    """
    for one, other in combinations(held, 2):
        if held[one] and held[other] and (held[one] <= held[other] or held[other] <= held[one]):
            raise fault(
                f"the tasks {one!r} and {other!r} are the same examples, which would count twice;"
                " name each dataset once."
            )
    times = Counter(example for examples in held.values() for example in examples)
    return sum(count > 1 for count in times.values())
