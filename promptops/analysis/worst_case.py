"""What is missing, at its worst for the candidate.

Anyone who may leave out 2 % of the rows may leave out the ones that were lost. So a promotion must
also hold where each missing outcome went against the candidate: 0 for the candidate and 1 for the
baseline on the 0-1 scale, the largest value seen for the candidate's cost, latency or tokens and
the smallest for the baseline's. Examples without an outcome in either arm stay out.
"""

from __future__ import annotations

from dataclasses import replace

from .arms import Arm, Outcomes

__all__ = ["at_worst", "lacks"]


def lacks(candidate: Arm, baseline: Arm) -> bool:
    """Whether an outcome is missing in one arm of an example that the other arm has."""
    for name in (*candidate.scores, *candidate.measures):
        ours, theirs = (_of(arm, name) for arm in (candidate, baseline))
        if ours is None or theirs is None:
            continue
        if (ours.scored < ours.attempted).any() or (theirs.scored < theirs.attempted).any():
            return True
        if set(ours.examples) != set(theirs.examples):
            return True
    return False


def at_worst(candidate: Arm, baseline: Arm) -> tuple[Arm, Arm]:
    """Both arms with every missing outcome filled in against the candidate."""
    scores: tuple[dict[str, Outcomes], dict[str, Outcomes]] = ({}, {})
    measures: tuple[dict[str, Outcomes], dict[str, Outcomes]] = ({}, {})
    for name, ours in candidate.scores.items():
        if (theirs := baseline.scores.get(name)) is not None:
            scores[0][name] = _filled(ours, theirs, 0.0)
            scores[1][name] = _filled(theirs, ours, 1.0)
    for name, ours in candidate.measures.items():
        if (theirs := baseline.measures.get(name)) is not None:
            measures[0][name] = _filled(ours, theirs, max(_known(ours), default=0.0))
            measures[1][name] = _filled(theirs, ours, min(_known(theirs), default=0.0))
    return (
        replace(candidate, scores=scores[0], measures=measures[0]),
        replace(baseline, scores=scores[1], measures=measures[1]),
    )


def _of(arm: Arm, name: str) -> Outcomes | None:
    return arm.scores.get(name) or arm.measures.get(name)


def _known(outcomes: Outcomes) -> list[float]:
    return [float(value) for value in outcomes.mean[outcomes.scored > 0].tolist()]


def _filled(own: Outcomes, other: Outcomes, bad: float) -> Outcomes:
    """The arm's outcomes with `bad` for each one that is missing, on the examples that have an
    outcome in this arm or the other.
    """
    import numpy as np

    known = {
        example
        for outcomes in (own, other)
        for example, scored in zip(outcomes.examples, outcomes.scored.tolist(), strict=True)
        if scored > 0
    }
    place = {example: index for index, example in enumerate(own.examples)}
    names = [example for example in own.examples if example in known]
    names += [example for example in other.examples if example in known and example not in place]
    mean, count, variance = [], [], []
    for example in names:
        index = place.get(example)
        asked = float(own.attempted[index]) if index is not None else 1.0
        scored = float(own.scored[index]) if index is not None else 0.0
        asked = max(asked, scored, 1.0)
        total = float(own.mean[index]) * scored if index is not None and scored else 0.0
        mean.append((total + bad * (asked - scored)) / asked)
        count.append(asked)
        whole = index is not None and scored == asked
        variance.append(float(own.variance[index]) if whole else float("nan"))
    return replace(
        own,
        examples=names,
        mean=np.array(mean),
        scored=np.array(count),
        attempted=np.array(count),
        variance=np.array(variance),
    )
