"""What a 0/1 score says class by class, and beside it the best that one constant answer can reach.

Where the primary matches one golden label of few, an accuracy says little alone: always answering
"no" is right wherever "no" is common. The confusion table, precision, recall, F1 and balanced
accuracy show what a version can tell apart.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..evidence_shape import BALANCED, is_class_measure
from . import intervals
from .arms import Arm, Outcomes
from .binary_counts import wilson_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    Floats = NDArray[np.float64]

__all__ = [
    "BALANCED",
    "OTHER",
    "ClassFigures",
    "Classes",
    "GoldenLabels",
    "applies",
    "classes_of",
    "constant_scores",
    "folded",
    "is_class_measure",
    "labelled_scorer",
    "read_label",
    "readings",
]

OTHER = "(other)"  # an answer that is not one of the golden labels
MOST_LABELS = 0.2  # distinct golden labels per example, beyond which answers are free text
AGREES = 0.95  # share of the scores that matching the label must explain
LONGEST = 80  # characters of a label

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class GoldenLabels:
    """golden: example id -> the labels that are right for it, in the form that `folded` gives;
    shown: that form -> the label as people wrote it; constant: the commonest label of the rows that
    versions were tuned on, None if it is read from these.
    """

    golden: Mapping[str, tuple[str, ...]]
    shown: Mapping[str, str] = field(default_factory=dict)
    constant: str | None = None

    def best_constant(self, examples: Iterable[str]) -> str:
        """The one answer that is right for the most examples; the first by name among equals."""
        if self.constant is not None:
            return self.constant
        counts = Counter(label for example in examples for label in self.golden.get(example, ()))
        return min(counts, key=lambda label: (-counts[label], label)) if counts else ""

    def name(self, label: str) -> str:
        """The label as people wrote it."""
        return self.shown.get(label, label)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One golden label in one arm, each share with its 95 % interval (None: nothing to divide by).

    golden: examples of this label; answered: on how many it was given, repeats by their share.
    """

    arm: str
    label: str
    golden: float
    answered: float
    precision: float | None
    precision_interval: Interval | None
    recall: float | None
    recall_interval: Interval | None
    f1: float | None
    f1_interval: Interval | None


@dataclass(frozen=True, slots=True)
class Classes:
    """labels: as people wrote them, commonest first; confusion: arm -> golden label -> answer ->
    examples, of which one whose repeats give several labels counts by their shares; rows: figures
    of every label in every arm; balanced: arm -> mean recall; constant and constant_score: the best
    constant answer and the share that it is right on.
    """

    labels: tuple[str, ...]
    confusion: Mapping[str, Mapping[str, Mapping[str, float]]]
    rows: tuple[ClassFigures, ...]
    balanced: Mapping[str, float]
    constant: str
    constant_score: float

    @property
    def frame(self) -> DataFrame:
        """One row per arm and label."""
        import pandas as pd

        rows = [{name: getattr(row, name) for name in ClassFigures.__slots__} for row in self.rows]
        return pd.DataFrame(rows, columns=list(ClassFigures.__slots__)).set_index(["arm", "label"])

    def confusion_frame(self, arm: str) -> DataFrame:
        """Golden labels as rows, answers as columns, examples counted."""
        import pandas as pd

        answers = [*self.labels, OTHER]
        table = {
            label: [self.confusion[arm][label].get(answer, 0) for answer in answers]
            for label in self.labels
        }
        return pd.DataFrame.from_dict(table, orient="index", columns=answers)


def folded(value: object) -> str:
    """A label or an answer without what no reader minds: case, white space, marks around it."""
    text = value if isinstance(value, str) else str(value)
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return text.strip(" .!?,;:\"'`*()[]{}") or text


def read_label(output: str | None, labels: Iterable[str]) -> str:
    """The label that an answer gives: the whole answer, or the only label that occurs in it as
    words; OTHER if no label or more than one occurs.
    """
    text = folded(output or "")
    known = set(labels)
    if text in known:
        return text
    found = [label for label in known if label and label in text and _as_words(label, text)]
    longest = [one for one in found if not any(one != other and one in other for other in found)]
    return longest[0] if len(longest) == 1 else OTHER


def _as_words(label: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text) is not None


def applies(
    outcomes: Outcomes, answers: Mapping[str, str], labels: GoldenLabels | None
) -> list[int]:
    """Places of the scored examples that have a golden label, where the scorer is 0/1 and matches
    one label of few; else none.

    Whether it matches is read from what it did: right where the label that the answer gives is a
    golden one, wrong if it is not, on 95 % of the examples.
    """
    if labels is None or not outcomes.binary or not answers:
        return []
    kept = [
        place
        for place, example in enumerate(outcomes.examples)
        if outcomes.scored[place] > 0 and labels.golden.get(example) and example in answers
    ]
    distinct = {label for i in kept for label in labels.golden[outcomes.examples[i]]}
    if len(distinct) < 2 or len(distinct) > max(2.0, MOST_LABELS * len(kept)):
        return []
    agree = sum(
        (answers[outcomes.examples[i]] in labels.golden[outcomes.examples[i]])
        == (outcomes.mean[i] >= 0.5)
        for i in kept
    )
    return kept if agree >= AGREES * len(kept) else []


def readings(
    arms: Sequence[Arm], name: str, labels: GoldenLabels | None
) -> list[dict[str, Mapping[str, float]]] | None:
    """example -> label -> the share of its answers that gives it, per arm, as class figures count
    them; None if no arm matches labels.

    Where the label that an answer gives and its score part too often (a label in a sentence, which
    an exact scorer does not take), the score decides: wrong is OTHER, right is the golden one.
    """
    if labels is None or not all(name in arm.scores for arm in arms):
        return None
    kept = [applies(arm.scores[name], arm.answers, labels) for arm in arms]
    if not any(kept):
        return None
    found = [
        _as_read(arm, name, places, labels) if places else _as_scored(arm, name, labels)
        for arm, places in zip(arms, kept, strict=True)
    ]
    return found if all(found) else None


def _as_read(
    arm: Arm, name: str, places: Sequence[int], labels: GoldenLabels
) -> dict[str, Mapping[str, float]]:
    outcomes, out = arm.scores[name], dict[str, Mapping[str, float]]()
    for place in places:
        example, right = outcomes.examples[place], float(outcomes.mean[place])
        shares = arm.shares.get(example) or {arm.answers[example]: 1}
        if len(shares) > 1 or 0 < right < 1:
            shares = _split(shares, labels.golden[example], right)
        out[example] = shares
    return out


def _split(shares: Mapping[str, float], golden: Sequence[str], right: float) -> Mapping[str, float]:
    """What repeats gave, as right as their mean score says: it leaves out answers that failed, and
    knows those of earlier studies, whose labels are not read.
    """
    out: dict[str, float] = {}
    for mass, default, hits in ((right, golden[0], True), (1 - right, OTHER, False)):
        side = {label: share for label, share in shares.items() if (label in golden) is hits}
        if mass > 0:
            side = side or {default: 1}
            total = sum(side.values())
            out |= {label: mass * share / total for label, share in side.items()}
    return out


def _as_scored(arm: Arm, name: str, labels: GoldenLabels) -> dict[str, Mapping[str, float]]:
    outcomes, out = arm.scores[name], dict[str, Mapping[str, float]]()
    if not outcomes.binary:
        return {}
    for place, example in enumerate(outcomes.examples):
        golden, answer = labels.golden.get(example), arm.answers.get(example)
        if golden and answer is not None and outcomes.scored[place] > 0:
            right = float(outcomes.mean[place])
            if 0 < right < 1:
                out[example] = _split({}, golden, right)
            else:
                agrees = (answer in golden) == bool(right)
                out[example] = {answer if agrees else golden[0] if right else OTHER: 1}
    return out


def labelled_scorer(arms: Sequence[Arm], labels: GoldenLabels | None) -> str | None:
    """The first scorer that matches a golden label of few in all arms; None if none does."""
    for name in arms[0].scores if labels is not None else ():
        found = [
            name in arm.scores and applies(arm.scores[name], arm.answers, labels) for arm in arms
        ]
        if all(found):
            return name
    return None


def constant_scores(examples: Sequence[str], labels: GoldenLabels) -> tuple[str, Floats]:
    """(the best constant answer, its score on each example)."""
    import numpy as np

    constant = labels.best_constant(examples)
    scores = [float(constant in labels.golden.get(example, ())) for example in examples]
    return constant, np.array(scores, dtype=float)


def classes_of(arms: Sequence[Arm], name: str, labels: GoldenLabels | None) -> Classes | None:
    """The class figures of some arms under one scorer; None if it does not match labels.

    Args:
        arms: with their answers, read as labels.
        name: the scorer.
        labels: the golden labels; None if there are none.
    """
    read = readings(arms, name, labels)
    if labels is None or read is None:
        return None
    examples = max(map(list, read), key=len)
    counts = Counter(labels.golden[example][0] for example in examples)
    order = sorted(counts, key=lambda label: (-counts[label], label))
    confusion = {
        arm.label: _confusion(answers, order, labels)
        for arm, answers in zip(arms, read, strict=True)
    }
    shown = [labels.name(label) for label in order]
    rows = tuple(_figures(label, arm, table) for arm, table in confusion.items() for label in shown)
    recalls = [(row.arm, row.recall) for row in rows if row.recall is not None]
    constant, scores = constant_scores(examples, labels)
    return Classes(
        tuple(shown),
        confusion,
        rows,
        {arm: _mean([recall for own, recall in recalls if own == arm]) for arm in confusion},
        labels.name(constant),
        float(scores.mean()),
    )


def _confusion(
    answers: Mapping[str, Mapping[str, float]], order: Sequence[str], labels: GoldenLabels
) -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = {labels.name(label): {} for label in order}
    for example, given in answers.items():
        golden = labels.golden[example]
        for answer, share in given.items():
            row = table.setdefault(labels.name(answer if answer in golden else golden[0]), {})
            name = labels.name(answer) if answer != OTHER else OTHER
            row[name] = row.get(name, 0) + share
    return {
        label: {name: _whole(count) for name, count in row.items()} for label, row in table.items()
    }


def _whole(count: float) -> float:
    """The count without what adding up thirds leaves behind."""
    return round(count) if abs(count - round(count)) < 1e-9 else count


def _figures(label: str, arm: str, table: Mapping[str, Mapping[str, float]]) -> ClassFigures:
    """Wilson intervals; that of F1 is Wilson's of the share of hits among all cases where the label
    is golden or given, of which F1 is a rising function.
    """
    hits = table[label].get(label, 0)
    golden = _whole(sum(table[label].values()))
    answered = _whole(sum(row.get(label, 0) for row in table.values()))
    union = golden + answered - hits
    ends = _wilson(hits, union) if union else None
    return ClassFigures(
        arm,
        label,
        golden,
        answered,
        hits / answered if answered else None,
        _wilson(hits, answered) if answered else None,
        hits / golden if golden else None,
        _wilson(hits, golden) if golden else None,
        2 * hits / (golden + answered) if union else None,
        (2 * ends[0] / (1 + ends[0]), 2 * ends[1] / (1 + ends[1])) if ends else None,
    )


def _wilson(hits: float, of: float) -> Interval:
    """Of counts that need not be whole."""
    return wilson_at(hits, of, intervals.quantile(0.95))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
