"""Golden labels and answers as lists of numbers beside a bundle's examples, and back.

{"labels": texts, "shown": texts as people wrote them, "constant": an index or None, "golden": a
list of indices for each example, "candidate" and "baseline": the index of the answer's label, None
if it is not one of the labels}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .arms import Arm
from .classes import OTHER, GoldenLabels

__all__ = ["read_answers", "read_labels", "written_classes"]


def written_classes(
    arms: Sequence[tuple[str, Arm]], examples: Sequence[str], labels: GoldenLabels | None
) -> dict[str, object]:
    """The lists; {} if there are no golden labels, or the answers are not known as labels."""
    if labels is None or not all(arm.answers for _, arm in arms):
        return {}
    golden = [labels.golden.get(example, ()) for example in examples]
    constant = [labels.constant] if labels.constant is not None else []
    texts = sorted({*(label for row in golden for label in row), *constant})
    place = {label: index for index, label in enumerate(texts)}
    return {
        "labels": tuple(texts),
        "shown": tuple(labels.name(label) for label in texts),
        "constant": place[labels.constant] if labels.constant is not None else None,
        "golden": tuple(tuple(place[label] for label in row) for row in golden),
        **{
            key: tuple(place.get(arm.answers.get(example, OTHER)) for example in examples)
            for key, arm in arms
        },
    }


def read_labels(classes: Mapping[str, Any], examples: Sequence[str]) -> GoldenLabels | None:
    """The golden labels of the lists; None if there are none."""
    if not classes:
        return None
    texts = classes["labels"]
    constant = classes["constant"]
    return GoldenLabels(
        {
            example: tuple(texts[place] for place in row)
            for example, row in zip(examples, classes["golden"], strict=True)
            if row
        },
        dict(zip(texts, classes["shown"], strict=True)),
        texts[constant] if constant is not None else None,
    )


def read_answers(classes: Mapping[str, Any], key: str, examples: Sequence[str]) -> dict[str, str]:
    """The answers of an arm as labels; {} if there are none."""
    if not classes or key not in classes:
        return {}
    texts = classes["labels"]
    return {
        example: OTHER if place is None else texts[place]
        for example, place in zip(examples, classes[key], strict=True)
    }
