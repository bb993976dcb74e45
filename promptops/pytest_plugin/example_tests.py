"""One test per example of a dataset, its id as the test's id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["by_example"]


def by_example(
    dataset: Any, *, split: str | None = None, prompt: str | None = None, **columns: Any
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """A decorator: the test runs once per example, which it takes as `example`.

    Args:
        dataset: a Dataset, or whatever `Dataset.read` reads; a path is taken from the folder in
            which pytest runs.
        split: the split whose examples are taken; all of them without it.
        prompt: the prompt that the fixture `ask` asks, as `@pytest.mark.prompt(prompt)` names it.
        columns: as `Dataset.read` takes them.

    Raises:
        DatasetError: the dataset cannot be read, or has no such split.
    """
    from ..dataset import Dataset

    data = dataset if isinstance(dataset, Dataset) else Dataset.read(dataset, **columns)
    chosen = data.split(split) if split is not None else data
    cases = [pytest.param(example, id=example.id) for example in chosen]

    def decorate(test: Callable[..., object]) -> Callable[..., object]:
        marked: Callable[..., object] = pytest.mark.parametrize("example", cases)(test)
        marked = pytest.mark.promptops_examples(chosen)(marked)
        if prompt is not None:
            marked = pytest.mark.prompt(prompt)(marked)
        return marked

    return decorate
