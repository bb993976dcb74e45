"""What a bundle of evidence holds, as the arms and the comparison that it was made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError, RegistryCorrupt, StatisticsError
from ..evidence import FOLDER, Evidence
from ..policy import Policy
from .arms import Arm, Outcomes
from .class_lists import read_answers, read_labels
from .compare import ComparisonContext, ComparisonFacts, compare
from .evidence_draft import plain
from .tag_lists import read_tags
from .tried import Tried

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["as_comparison", "comparison_of", "content_of", "first_arm_of", "grounds_of"]

_ARMS = ("candidate", "baseline")
_ROUNDED = 1e-6


def comparison_of(evidence: Evidence) -> ComparisonFacts:
    """The comparison that the evidence holds, as `compare` would make it.

    Raises as `recompute` does.
    """
    with content_of(evidence):
        return as_comparison(evidence)


def first_arm_of(evidence: Evidence) -> Arm:
    """The one arm of a first deployment. Raises as `recompute` does."""
    with content_of(evidence):
        return _arm(evidence, "candidate")


@contextmanager
def content_of(evidence: Evidence) -> Iterator[None]:
    """What an odd content makes the reading raise becomes RegistryCorrupt: a digest that fits says
    nothing of what the bundle holds.
    """
    try:
        yield
    except PromptOpsError:
        raise
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise RegistryCorrupt(
            f"{FOLDER}/{evidence.digest[:32]}.json has a content that cannot be computed again"
            f" ({type(error).__name__}: {error}); restore it from git, or measure again."
        ) from error


def as_comparison(evidence: Evidence) -> ComparisonFacts:
    """`comparison_of`, within `content_of`."""
    policy = Policy.from_document(plain(evidence.policy))
    arms = {arm: _arm(evidence, arm) for arm in _ARMS}
    return compare(
        arms["candidate"],
        arms["baseline"],
        grounds=grounds_of(evidence),
        primary=evidence.primary,
        alpha=policy.alpha,
        ties=policy.ties,
    )


def _arm(evidence: Evidence, key: str) -> Arm:
    scores = {
        name: _outcomes(evidence, name, by_arm, key) for name, by_arm in evidence.scores.items()
    }
    measures = {
        name: _outcomes(evidence, name, by_arm, key) for name, by_arm in evidence.metrics.items()
    }
    version = evidence.candidate if key == "candidate" else str(evidence.baseline)
    answers = read_answers(evidence.classes, key, evidence.examples)
    return Arm(version, str(evidence.labels.get(key, version)), scores, measures, answers=answers)


def _outcomes(
    evidence: Evidence, name: str, by_arm: Mapping[str, Sequence[float | None]], key: str
) -> Outcomes:
    """Means of 0/1 outcomes are restored to exact shares, and their variance from them."""
    import numpy as np

    n, tally = len(evidence.examples), evidence.tallies.get(name, {}).get(key, {})
    if key not in by_arm or len(by_arm[key]) != n:
        raise StatisticsError(
            f"the evidence holds no {name} of the {key} for each of its {n} examples; restore it"
            " from git."
        )
    mean = np.array(
        [math.nan if value is None else float(value) for value in by_arm[key]], dtype=float
    )
    attempted = _long(tally.get("attempted", evidence.asked.get(key, 1)), n, name)
    scored = _long(tally["scored"], n, name) if "scored" in tally else attempted
    scored = np.where(np.isnan(mean), 0.0, scored)
    binary = bool(tally.get("binary", False))
    if fault := _tally_fault(mean, attempted, scored, binary):
        raise StatisticsError(
            f"the evidence tallies {name} of the {key} in an impossible way: {fault}; restore it"
            " from git."
        )
    variance = np.full(n, math.nan)
    if binary:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(scored > 0, np.round(mean * scored) / scored, math.nan)
            variance = np.where(scored > 1, mean * (1 - mean) * scored / (scored - 1), math.nan)
    elif "variance" in tally:
        variance = np.array(
            [math.nan if value is None else float(value) for value in tally["variance"]],
            dtype=float,
        )
    asked = ~np.isnan(attempted)
    info = evidence.scorers.get(name, {})
    return Outcomes(
        [example for example, here in zip(evidence.examples, asked, strict=True) if here],
        mean[asked],
        scored[asked],
        attempted[asked],
        variance[asked],
        binary,
        str(info.get("kind", "measure")),
        (str(info.get("version", "1")),),
        info.get("calibrated"),
    )


def _tally_fault(mean: Floats, attempted: Floats, scored: Floats, binary: bool) -> str:
    """Why these cannot be counts of repeats with these means; "" if they can. Comparisons with NaN
    are false: what is not of this arm has no fault.
    """
    import numpy as np

    for counts in (attempted, scored):
        if (counts < 0).any() or (counts != np.round(counts))[~np.isnan(counts)].any():
            return "a number of repeats is not a whole number from 0"
    if (scored > attempted).any():
        return "more repeats are scored than were asked"
    hits = mean * scored
    # the means have 6 digits
    if binary and ((mean > 1) | (np.abs(hits - np.round(hits)) > _ROUNDED * scored)).any():
        return "its means are not shares of outcomes that are 0 or 1"
    return ""


def _long(value: Any, n: int, name: str) -> Any:
    import numpy as np

    if isinstance(value, (int, float)):
        return np.full(n, float(value))
    if len(value) != n:
        raise StatisticsError(
            f"the evidence tallies {len(value)} of {n} examples for {name}; restore it from git."
        )
    return np.array([math.nan if count is None else count for count in value], dtype=float)


def grounds_of(evidence: Evidence) -> ComparisonContext:
    """Where its examples come from, as `compare` takes it."""
    dataset = evidence.dataset
    return ComparisonContext(
        prompt=evidence.prompt,
        study=evidence.study,
        dataset=str(dataset.get("name", "")),
        fingerprint=str(dataset.get("fingerprint", "")),
        planned=evidence.rule.get("planned"),
        clusters=(
            dict(zip(evidence.examples, evidence.clusters, strict=True))
            if evidence.clusters is not None
            else None
        ),
        tags=read_tags(evidence.tags, evidence.examples),
        split=dataset.get("split"),
        tested=bool(dataset.get("tested", False)),
        served=dataset.get("served"),
        plan=evidence.plan,
        labels=read_labels(evidence.classes, evidence.examples),
        rules=int(evidence.rule.get("rules", 1)),
        tried=Tried.from_document(evidence.rule.get("tried")),
        looked=int(evidence.rule.get("looked", 0)),
        searched=str(evidence.rule.get("searched", "")),
        weights=(
            dict(zip(evidence.examples, evidence.weights, strict=True))
            if evidence.weights
            else None
        ),
        weighed_by=str(dataset.get("weights", "")),
    )
