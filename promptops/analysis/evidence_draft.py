"""The text of evidence: what a comparison and its verdict are written down as."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ..policy import Policy
from .arms import MEASURES, Arm, Outcomes
from .compare import ComparisonContext
from .verdict import Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["drafted", "plain"]
_DIGITS = 12
_SHARE_DIGITS = 6
_MEASURE_DIGITS = 6
_VARIANCE_DIGITS = 3
# the means in the evidence's order, None if unscored; and their tally
_Column: TypeAlias = "tuple[tuple[float | None, ...], dict[str, Any]]"


def drafted(
    arms: Mapping[str, Arm],
    primary: str,
    policy: Policy,
    grounds: ComparisonContext,
    verdict: Verdict,
) -> dict[str, Any]:
    """The fields of the evidence that hold data."""
    laid = _Laid.of(arms, primary)
    return {
        "prompt": grounds.prompt,
        "candidate": arms["candidate"].version,
        "baseline": arms["baseline"].version if "baseline" in arms else None,
        "dataset": _dataset(grounds),
        "study": grounds.study,
        "policy": plain(policy.document()),
        "primary": primary,
        "examples": laid.examples,
        "scores": laid.means(laid.scores),
        "metrics": laid.means(laid.measures),
        "asked": {key: _short(values) for key, values in laid.asked.items()},
        "tallies": {
            name: {key: column[1] for key, column in by_arm.items()}
            for name, by_arm in laid.columns.items()
        },
        "counts": {key: _count(arm.scores[laid.base]) for key, arm in arms.items()},
        "scorers": {name: _scorer(arms["candidate"].scores[name]) for name in laid.scores},
        "repeats": {key: arm.scores[laid.base].repeats for key, arm in arms.items()},
        "clusters": (
            tuple(
                str(grounds.clusters.get(example, f"example {example}"))
                for example in laid.examples
            )
            if grounds.clusters
            else None
        ),
        "rule": _rule(verdict, grounds),
        "weights": (
            tuple(_number(grounds.weights.get(name, 0.0), _DIGITS) for name in laid.examples)
            if grounds.weights is not None
            else ()
        ),
        "labels": {key: arm.label for key, arm in arms.items()},
        "plan": plain(grounds.plan) if grounds.plan is not None else None,
    }


def _rule(verdict: Verdict, grounds: ComparisonContext) -> dict[str, object]:
    return {
        **asdict(verdict.rule),
        "planned": grounds.planned,
        "rules": grounds.rules,
        "tried": grounds.tried.document(),
        "looked": grounds.looked,
        **({"searched": grounds.searched} if grounds.searched else {}),
    }


def _dataset(grounds: ComparisonContext) -> dict[str, object]:
    return {
        "name": grounds.dataset,
        "fingerprint": grounds.fingerprint,
        "split": grounds.split,
        "tested": grounds.tested,
        "served": grounds.served,
        **({"copies": len(grounds.copies)} if grounds.copies else {}),
        **({"weights": grounds.weighed_by} if grounds.weights is not None else {}),
    }


@dataclass(frozen=True, slots=True)
class _Laid:
    """What all arms have, laid out in one order of the examples.

    scores, measures: names; base: the score that counts and repeats are read from; asked: how often
    each example was, by arm; columns: name -> arm -> means and tally.
    """

    scores: tuple[str, ...]
    measures: tuple[str, ...]
    base: str
    examples: tuple[str, ...]
    asked: Mapping[str, list[int | None]]
    columns: Mapping[str, Mapping[str, _Column]]

    @classmethod
    def of(cls, arms: Mapping[str, Arm], primary: str) -> _Laid:
        """The examples of the baseline first, in its own order, as `pair` keeps it."""
        held = list(arms.values())
        scores = tuple(
            name for name in arms["candidate"].scores if all(name in arm.scores for arm in held)
        )
        measures = tuple(name for name in MEASURES if all(name in arm.measures for arm in held))
        base = primary if primary in scores else scores[0]  # of balanced_accuracy: what makes it up
        order = [name for arm in sorted(arms) for name in arms[arm].scores[base].examples]
        for arm in held:
            order += [example for name in scores for example in arm.scores[name].examples]
        examples = tuple(dict.fromkeys(order))
        place = {example: index for index, example in enumerate(examples)}
        outcomes = {name: {key: arm.scores[name] for key, arm in arms.items()} for name in scores}
        outcomes |= {
            name: {key: arm.measures[name] for key, arm in arms.items()} for name in measures
        }
        asked = {
            key: _spread(arm.scores[base].attempted, arm.scores[base].examples, place)
            for key, arm in arms.items()
        }
        columns = {
            name: {
                key: _column(one, place, asked[key], name in MEASURES)
                for key, one in by_arm.items()
            }
            for name, by_arm in outcomes.items()
        }
        return cls(scores, measures, base, examples, asked, columns)

    def means(self, names: Sequence[str]) -> dict[str, dict[str, tuple[float | None, ...]]]:
        """The means of some scores or measures, by name and arm."""
        return {
            name: {key: column[0] for key, column in self.columns[name].items()} for name in names
        }


def _spread(values: Floats, examples: Sequence[str], place: Mapping[str, int]) -> list[int | None]:
    """Counts in the evidence's order, None for examples that are not among these."""
    out: list[int | None] = [None] * len(place)
    for example, value in zip(examples, values.tolist(), strict=True):
        if example in place:
            out[place[example]] = int(value)
    return out


def _column(
    outcomes: Outcomes, place: Mapping[str, int], asked: list[int | None], measure: bool
) -> tuple[tuple[float | None, ...], dict[str, object]]:
    """The means in the evidence's order, None if unscored; and their tally.

    Shares of 0/1 outcomes are restored from 6 digits exactly.
    """
    digits = _MEASURE_DIGITS if measure else _SHARE_DIGITS if outcomes.binary else _DIGITS
    means: list[float | None] = [None] * len(place)
    variance: list[float | None] = [None] * len(place)
    for example, mean, known, spread in zip(
        outcomes.examples,
        outcomes.mean.tolist(),
        outcomes.scored.tolist(),
        outcomes.variance.tolist(),
        strict=True,
    ):
        if example in place:
            means[place[example]] = _number(mean, digits) if known else None
            variance[place[example]] = _number(spread, _VARIANCE_DIGITS)
    scored, attempted = (
        _spread(values, outcomes.examples, place)
        for values in (outcomes.scored, outcomes.attempted)
    )
    tally: dict[str, object] = {"binary": outcomes.binary}
    if attempted != asked:
        tally["attempted"] = _short(attempted)
    if scored != [
        n if mean is not None or n is None else 0 for n, mean in zip(attempted, means, strict=True)
    ]:
        tally["scored"] = _short(scored)
    if not measure and not outcomes.binary and any(spread is not None for spread in variance):
        tally["variance"] = tuple(variance)
    return tuple(means), tally


def _count(outcomes: Outcomes) -> dict[str, int]:
    attempted, scored = int(outcomes.attempted.sum()), int(outcomes.scored.sum())
    return {"attempted": attempted, "scored": scored, "failed": attempted - scored}


def _scorer(outcomes: Outcomes) -> dict[str, object]:
    return {
        "version": ", ".join(outcomes.versions),
        "kind": outcomes.kind,
        "calibrated": outcomes.calibrated,
    }


def _short(values: list[int | None]) -> int | tuple[int | None, ...]:
    """One number where all are equal: the usual case, and the bundle is small."""
    first = values[0] if len(set(values)) == 1 else None
    return first if first is not None else tuple(values)


def _number(value: float, digits: int) -> float | int | None:
    if value != value:
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def plain(value: object) -> Any:
    """Tuples as lists, all the way down: as it is read back from JSON."""
    return json.loads(json.dumps(value, default=dict))
