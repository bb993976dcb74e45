"""Several datasets as one, each a task of it: what a study over several tasks is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import DatasetError
from .example import Example
from .shared_examples import shared_by_tasks

if TYPE_CHECKING:
    from .dataset import Dataset

__all__ = ["joined"]


def joined(tasks: Mapping[str, Dataset]) -> tuple[list[Example], tuple[str, ...]]:
    """The examples of all tasks: `task/id` as the id, the task as the one tag, clusters kept apart
    by task, splits as they are; and the notes of the datasets.

    Raises:
        DatasetError: there are fewer than two tasks, one has no name or no example, or two are the
            same examples.
    """
    wrong = [(task, one) for task, one in tasks.items() if not hasattr(one, "examples")]
    if wrong:
        raise DatasetError(
            f"the task {wrong[0][0]!r} is a {type(wrong[0][1]).__name__}; expected a dataset, as in"
            " Dataset.read(...)."
        )
    parts = {task: one.examples for task, one in tasks.items()}
    if len(parts) < 2:
        raise DatasetError(
            f"{len(parts)} dataset was given; tasks are two or more, as in"
            ' Dataset.of_tasks({"sums": sums, "dates": dates}).'
        )
    out: list[Example] = []
    for task, examples in parts.items():
        if not isinstance(task, str) or not task.strip():
            raise DatasetError(f"a task is named {task!r}; expected text.")
        if not examples:
            raise DatasetError(f"the task {task!r} has no example; leave it out.")
        out += [
            replace(
                one,
                id=f"{task}/{one.id}",
                tags=(task,),
                cluster=None if one.cluster is None else f"{task}/{one.cluster}",
            )
            for one in examples
        ]
    notes = [f"{task}: {note}" for task, one in tasks.items() for note in one.notes]
    return out, (*notes, *_shared_notes(parts))


def _shared_notes(parts: Mapping[str, Sequence[Example]]) -> tuple[str, ...]:
    """A sentence on examples that are in several tasks.

    Raises:
        DatasetError: a task has no example of its own beside another.
    """
    held = {task: {one.fingerprint for one in examples} for task, examples in parts.items()}
    several = shared_by_tasks(held, DatasetError)
    if not several:
        return ()
    return (
        f"{several:,} {'example is' if several == 1 else 'examples are'} in several tasks; as"
        " copies, they are one example of the first.",
    )
