"""One scorer on one case: what needs no judgement, what a scorer gave, and what one that failed
leaves.
"""

from __future__ import annotations

import inspect

from ..markup import shorten
from ..models.foreign import from_outside, told
from ..score import Score
from ..scorers.case import Case, Scorer

__all__ = ["crashed", "inline", "scores_of", "withheld"]

_UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)  # what reading an answer of another form raises


def withheld(scorer: Scorer, case: Case) -> Score | None:
    """The score that needs no judgement: the run failed, or the row has not what the scorer needs;
    else None.
    """
    run = case.run
    if not run.answered:
        if run.kind != "outcome":
            return Score.none(run.failure or "")
        if not scorer.judges_failures:
            who = (
                "the example did not render"
                if run.failure == "render_error"
                else "the model failed"
            )
            return Score(0.0, False, reason=f"{who}: {run.failure}")
    if scorer.needs:
        example = case.example
        for name in scorer.needs:
            try:
                if example.column(name) not in (None, ()):
                    continue
            except KeyError:
                pass
            return Score.none(
                f"missing {name}: example {example.id!r} has no value in the column {name!r}"
            )
    if scorer.against is not None and case.reference is None:
        return Score.none(
            f"missing reference: example {case.example.id!r} has no run of version"
            f" {scorer.against[:11]}"
        )
    return None


def crashed(error: BaseException, scorer: Scorer, case: Case) -> Score:
    """What is in the row of a scorer that raised: the type and the message, cut and storable.

    A user's function that cannot read an answer whose form is wrong already (no JSON where JSON was
    asked for) has judged it: the answer fails.
    """
    name, _, text = told(error).partition(": ")
    wording = f"{name}: {shorten(text[:1200].encode('utf-8', 'replace').decode(), 300)}"
    if case.run.failure is not None and scorer.kind == "user" and isinstance(error, _UNREADABLE):
        return Score(0.0, False, reason=f"the model failed: {case.run.failure} ({wording})")
    return Score.none(f"scorer_error: {wording}")


def inline(scorer: Scorer, case: Case) -> Score | list[Score]:
    """What a built-in rule gives for the case, also where it fails."""
    try:
        found = scorer.score(case)
        return found if isinstance(found, Score) else scores_of(scorer, found)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and from_outside(error):
            raise
        return crashed(error, scorer, case)


def scores_of(scorer: Scorer, found: object) -> list[Score]:
    """A scorer's result as scores; raises TypeError if it is something else."""
    if isinstance(found, Score):
        return [found]
    if (
        isinstance(found, (list, tuple))
        and found
        and all(isinstance(score, Score) for score in found)
    ):
        return list(found)
    if inspect.iscoroutine(found):
        found.close()
    raise TypeError(f"{scorer.name} gave {type(found).__name__} instead of a Score")
