"""The pairs of an accuracy as those of a mean over labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from .arms import Pairs
from .classes import BALANCED, GoldenLabels, folded

__all__ = ["of_class_measure", "stratified"]


def of_class_measure(pairs: Pairs, labels: GoldenLabels, name: str) -> Pairs | None:
    """The pairs of an accuracy as those of balanced_accuracy, or of recall(label); None if no
    example has such a label.
    """
    label = None if name == BALANCED else folded(name[len("recall(") : -1])
    return stratified(pairs, labels, label)


def stratified(pairs: Pairs, labels: GoldenLabels, label: str | None = None) -> Pairs | None:
    """The pairs of an accuracy as those of a mean recall, or of one label's recall.

    Args:
        pairs: of the 0/1 primary.
        labels: the golden labels; of several right ones the first counts.
        label: None for balanced accuracy: each example weighs n / (labels x examples of its label),
            so that the mean over examples is the mean over labels of their recall.

    Returns:
        None if no example has a golden label, or none has this one.
    """
    import numpy as np

    first = [(labels.golden.get(example) or ("",))[0] for example in pairs.examples]
    wanted = [i for i, one in enumerate(first) if one and (label is None or one == label)]
    if not wanted:
        return None
    index = np.array(wanted, dtype=int)
    part = replace(
        pairs,
        examples=tuple(pairs.examples[i] for i in wanted),
        candidate=pairs.candidate[index],
        baseline=pairs.baseline[index],
        d=pairs.d[index],
    )
    if label is not None and pairs.weights is None:
        return part
    own = np.ones(len(wanted)) if pairs.weights is None else pairs.weights[index]
    totals: Counter[str] = Counter()  # of a label: its examples, or what they weigh
    for i, weight in zip(wanted, own.tolist(), strict=True):
        totals[first[i]] += weight
    if not all(totals.values()):
        return None
    factors = np.array([len(wanted) / (len(totals) * totals[first[i]]) for i in wanted])
    counted = pairs.counted or (pairs.binary and pairs.repeats == 1)
    out = part.scaled(factors, weighing=False, counted=counted)
    of_label = {pairs.examples[i]: first[i] for i in wanted}
    return out if label is not None else replace(out, strata=of_label)
