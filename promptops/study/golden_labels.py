"""The golden answers of a dataset as labels, and the label that each recorded answer gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..analysis.arms import Arm
from ..analysis.classes import LONGEST, MOST_LABELS, GoldenLabels, folded, read_label
from .queries.answer_texts import answers_of, tuned_answers
from .stored_arms import arms_of

if TYPE_CHECKING:
    from ..dataset import Dataset, Example
    from ..store import Store
    from .stored_arms import Source
    from .study_record import ScorerRef

__all__ = ["answer_labels", "golden_labels", "labelled", "labelled_arms", "with_labels"]


def golden_labels(data: Dataset, store: Store | None = None) -> GoldenLabels | None:
    """The golden labels of a dataset; None if golden answers are free text, or there are none.

    store: where the train and val rows of the dataset's name are looked for, whose commonest label
    is the constant answer to beat; None or no such rows: the commonest of this dataset.
    """
    golden: dict[str, tuple[str, ...]] = {}
    shown: dict[str, str] = {}
    for example in data:
        labels = _labels(example.expected)
        if labels:
            golden[example.id] = tuple(dict.fromkeys(map(folded, labels)))
            for label in labels:
                shown.setdefault(folded(label), label)
    most = max(2.0, MOST_LABELS * len(golden))
    if len(shown) < 2 or len(shown) > most or max(map(len, shown)) > LONGEST:
        return None
    own = {example.split for example in data}
    tuned = tuned_answers(store, data.name) if store is not None and own == {"test"} else ()
    counts = Counter(folded(label) for value in tuned for label in _labels(value))
    known = [label for label in counts if label in shown]
    constant = min(known, key=lambda label: (-counts[label], label)) if known else None
    return GoldenLabels(golden, shown, constant)


def with_labels(labels: GoldenLabels | None, earlier: Mapping[str, Example]) -> GoldenLabels | None:
    """The labels, and those of examples that only earlier studies asked."""
    if labels is None:
        return None
    more = {name: tuple(map(folded, _labels(each.expected))) for name, each in earlier.items()}
    return replace(
        labels, golden={**labels.golden, **{name: row for name, row in more.items() if row}}
    )


def labelled_arms(
    store: Store,
    sources: Sequence[Source],
    scorers: Sequence[ScorerRef],
    labels: GoldenLabels | None,
) -> list[Arm]:
    """`arms_of`, with the label that each of their answers gives where there are golden labels."""
    arms = arms_of(store, sources, scorers)
    if labels is None:
        return arms
    return [
        labelled(arm, answers_of(store, study, version), labels)
        for (study, version, _), arm in zip(sources, arms, strict=True)
    ]


def labelled(arm: Arm, answers: Iterable[tuple[str, str | None]], labels: GoldenLabels) -> Arm:
    """The arm with the labels that its answers give. answers: (example, output), a row each."""
    found = _counted(answers, labels)
    shares = {
        example: {label: count / counts.total() for label, count in counts.items()}
        for example, counts in found.items()
        if len(counts) > 1
    }
    return replace(arm, answers=_most(found, labels), shares=shares)


def answer_labels(
    answers: Iterable[tuple[str, str | None]], labels: GoldenLabels
) -> Mapping[str, str]:
    """example id -> the label that its answers give; of several, a golden one if at least half of
    the answers are right, else the commonest wrong one.

    answers: (example, output), a row per answer.
    """
    return _most(_counted(answers, labels), labels)


def _most(found: Mapping[str, Counter[str]], labels: GoldenLabels) -> dict[str, str]:
    """The label of each example on the side, right or wrong, that its mean score is on."""
    out = {}
    for example, counts in found.items():
        golden = labels.golden.get(example, ())
        right = {label: count for label, count in counts.items() if label in golden}
        wrong = {label: count for label, count in counts.items() if label not in golden}
        side = right if 2 * sum(right.values()) >= counts.total() else wrong
        out[example] = min(side, key=lambda label: (-side[label], label))
    return out


def _counted(
    answers: Iterable[tuple[str, str | None]], labels: GoldenLabels
) -> dict[str, Counter[str]]:
    """example id -> how many of its answers give each label."""
    known = {label for row in labels.golden.values() for label in row}
    read: dict[str | None, str] = {}
    found: dict[str, Counter[str]] = {}
    for example, output in answers:
        if output not in read:
            read[output] = read_label(output, known)
        found.setdefault(example, Counter())[read[output]] += 1
    return found


def _labels(expected: object) -> list[str]:
    """The golden answers of an example as texts: any of a list; none for objects."""
    values = expected if isinstance(expected, (list, tuple)) else [expected]
    if not all(isinstance(value, (str, int, float, bool)) for value in values):
        return []
    return [str(value).strip() for value in values if str(value).strip()]
