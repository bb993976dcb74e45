"""What a search may see: train and val without the rows that ask what a row of test asks.

An example in a prompt that repeats a test row gives its answer away, and a candidate that is chosen
on it was tuned on test.
"""

from __future__ import annotations

from ..dataset import Dataset
from ..errors import StudyError
from ..store.recorder import say
from ..study.copies import asked_alike, reads_of
from ..version import PromptVersion

__all__ = ["checked_train", "visible"]


def visible(data: Dataset, seed: PromptVersion) -> tuple[Dataset, Dataset]:
    """train and val without the rows of which `seed` asks the same as of a test row, typed as it
    may be.
    """
    reads = reads_of(seed)
    test = {asked_alike(example, reads) for example in data.test}
    train = data.train.filter(lambda example: asked_alike(example, reads) not in test)
    return train, data.val.filter(lambda example: asked_alike(example, reads) not in test)


def checked_train(data: Dataset, seed: PromptVersion) -> Dataset:
    """train without such rows; warns of those that are left out.

    Raises StudyError if no row of train or of val is left.
    """
    parts = {"train": data.train, "val": data.val}
    left = dict(zip(parts, visible(data, seed), strict=True))
    for name, part in left.items():
        if not len(part):
            raise StudyError(
                f"every row of the split {name!r} of {data.name!r} repeats a row of test, so that"
                " nothing is left to search on; split the dataset so that copies stay together."
            )
    lost = [f"{len(parts[name]) - len(left[name]):,} of {name}" for name in parts]
    if any(len(parts[name]) != len(left[name]) for name in parts):
        say(
            f"Rows that repeat a row of test are left out of the search ({' and '.join(lost)}): an"
            " example in the prompt would give the answer away.",
            UserWarning,
        )
    return left["train"]
