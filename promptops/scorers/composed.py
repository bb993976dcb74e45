"""How the parts of a composed scorer are asked, and how their scores become one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ScorerError
from ..score import Score
from .case import Case, Scorer
from .function import as_scorer
from .rule import Judged, Rule, passed, rule

__all__ = ["asked", "asked_with", "composed", "gathered", "part_of", "parts_of", "with_unknown"]


def part_of(name: str, scorer: object) -> Scorer:
    """One part of a composition as a scorer. Raises ScorerError for anything else."""
    try:
        return as_scorer(scorer)
    except ScorerError as error:
        raise ScorerError(f"{name} was given something that is not a scorer: {error}") from None


def parts_of(name: str, scorers: Sequence[object]) -> list[Scorer]:
    """The parts of a composition as scorers. Raises ScorerError if they are too few."""
    parts = [part_of(name, scorer) for scorer in scorers]
    if not parts or (len(parts) < 2 and name != "weighted"):
        raise ScorerError(f"{name} joins scorers and was given {len(parts)}; give at least two.")
    return parts


def composed(
    spec: str,
    parts: Sequence[Scorer],
    score: Callable[[Case], Judged],
    *,
    judges_failures: bool | None = None,
    inner: Callable[[], str] | None = None,
) -> Rule:
    """The rule that joins several scorers, with the columns and the texts that they read."""
    against = {part.against for part in parts if part.against is not None}
    if len(against) > 1:
        raise ScorerError(
            f"{spec[:80]} compares with two versions at once, {' and '.join(sorted(against))}; use"
            " one."
        )
    kinds = [part.kind for part in parts]
    kind = next(
        (kind for kind in ("judge", "user", "regression", "semantic") if kind in kinds), "assertion"
    )
    failures = (
        any(part.judges_failures for part in parts) if judges_failures is None else judges_failures
    )
    shown_whole = len(spec) <= _LONGEST

    def versions() -> str:
        current = [as_scorer(part) for part in parts]
        own = [f"{part.name} {part.version}" for part in current if part.version != "1"]
        lines = (inner() if inner else "", "\n".join(own), "" if shown_whole else spec)
        return "\n".join(filter(None, lines))

    return rule(
        _shortened(spec),
        kind,
        score,
        needs=[column for part in parts for column in part.needs],
        texts=tuple(text for part in parts if isinstance(part, Rule) for text in part.texts),
        inner=versions,
        judges=tuple(
            version for part in parts if isinstance(part, Rule) for version in part.judges
        ),
        judges_failures=failures,
        against=next(iter(against), None),
        remote=any(part.remote for part in parts),
    )


_LONGEST = (
    160  # characters of a composition's name; a longer one is cut, and distinguished by its version
)


def _shortened(spec: str) -> str:
    return spec if len(spec) <= _LONGEST else spec[: _LONGEST - 1] + "…"


def asked(part: Scorer, case: Case) -> Judged:
    """A part's judgement; a failure of the model that the part does not judge fails it."""
    if not case.run.answered and not part.judges_failures:
        return Score(0.0, False, reason=f"the model failed: {case.run.failure}")
    return part.score(case)


def asked_with(case: Case, parts: Sequence[Scorer], join: Callable[[list[Score]], Any]) -> Judged:
    """The scores of every part on one answer, joined."""
    return gathered([asked(part, case) for part in parts], join)


def gathered(judged: Sequence[Judged], join: Callable[[list[Score]], Any]) -> Judged:
    """`join` over the main score of each judgement, in order; awaited one after another where one
    has to be.
    """
    if not any(inspect.isawaitable(one) for one in judged):
        joined: Judged = join([_main(one) for one in judged])
        return joined

    async def later() -> Score | Sequence[Score]:
        found = [_main(await one if isinstance(one, Awaitable) else one) for one in judged]
        result = join(found)
        done: Score | Sequence[Score] = await result if inspect.isawaitable(result) else result
        return done

    return later()


def _main(judged: Any) -> Score:
    """The score of its own name, where a scorer gives several verdicts; the mean of them where it
    gives none.
    """
    if isinstance(judged, Score):
        return judged
    scores: list[Score] = list(judged)
    if not scores or not all(isinstance(score, Score) for score in scores):
        raise TypeError(f"a part gave {type(judged).__name__} instead of a Score")
    own = [score for score in scores if not score.name]
    if own:
        return own[0]
    lacking = next((score for score in scores if score.value is None), None)
    if lacking is not None:
        return replace(lacking, name="")
    return Score(
        sum(score.value or 0.0 for score in scores) / len(scores),
        all(passed(score) for score in scores),
    )


def with_unknown(parts: Sequence[Scorer], found: Sequence[Score]) -> Score | None:
    """The score that names the first part without a value; None if every part has one."""
    for part, score in zip(parts, found, strict=True):
        if score.value is None:
            return Score.none(f"{part.name}: {score.unscored}")
    return None
