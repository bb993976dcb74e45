"""Judges that rate one answer: by a rubric of your own, by how far it answers, claim by claim
against a context.

Each is of kind "judge": it asks a model through the study, so its calls are recorded, reused and
budgeted, and its version changes with every word of its prompt, its model and its settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from ..version.renderer import literal
from .case import Case
from .declaration import declared
from .judging import (
    VERSION,
    JudgeModel,
    JudgeRule,
    Unread,
    answer_of,
    build_judge,
    consult,
    judge_prompt,
    shown_inputs,
    whole_number,
)
from .rule import rule, snippet, spelled

__all__ = ["Graded", "answer_relevance", "faithfulness", "rubric"]

_SCALE = {1: "does not meet the criteria at all", 3: "meets them in part", 5: "meets them fully"}
_RELEVANCE = (
    "How directly and completely the answer addresses what was asked. Ignore whether it is true and"
    " how it is written. Unasked additions, evasions and answers to another question count"
    " against it."
)


@dataclass(frozen=True, slots=True)
class Graded:
    """An example that shows a judge how to rate: an answer, its rating and the reason.

    Args:
        answer: the text of the answer.
        rating: a step of the rubric's scale.
        reason: the reason for the rating.
    """

    answer: str
    rating: int
    reason: str


@declared(
    "judge", example='rubric("Is it polite?")', output="Please wait.", value=None, whole=False
)
@explained
def rubric(
    criteria: str,
    *,
    scale: Mapping[int, str] | None = None,
    examples: Sequence[Graded] = (),
    sees: Sequence[str] | None = None,
    judge: JudgeModel | str | None = None,
    name: str | None = None,
) -> JudgeRule:
    """A model's rating of the answer by the criteria: (rating - lowest) / (highest - lowest). [0,
    1], higher is better.

    raw_value: the mean rating. With several samples each is also a separate verdict, "sample 1",
    ..., and the score is the mean of the readable ones; it is unscored if most are unreadable.

    Args:
        criteria: what a good answer is, in words.
        scale: rating -> what it means, for the lowest and the highest at least.
        examples: graded answers.
        sees: the columns shown with the answer (all inputs by default; add "expected" to show the
            golden answer).
        judge: a model's name, or a JudgeModel with settings and samples.
        name: the display name, instead of the criteria.
    """
    anchors = _anchors(scale)
    low, high = min(anchors), max(anchors)
    who = JudgeModel.of(judge)
    prompt = judge_prompt(
        "You rate one answer by the criteria below.",
        criteria,
        _scale_text(anchors, examples),
        f'"reason": "<one or two sentences>", "score": <whole number from {low} to {high}>',
        ("task", "answer"),
        who,
    )

    check = partial(_misfit, low=low, high=high)

    async def score(case: Case) -> list[Score]:
        parts = {"task": shown_inputs(case, sees), "answer": answer_of(case.run, case.output)}
        asked = (
            consult(case, prompt, parts, check, judge=who, sample=sample)
            for sample in range(who.samples)
        )
        found = await asyncio.gather(*asked)
        return _joined([_rated(verdict, low, high) for verdict in found], f"of {high}")

    built = rule(
        spelled("rubric", snippet(criteria, 40).strip('"')),
        "judge",
        score,
        needs=list(sees or ()),
        version=VERSION,
        inner=f"{prompt.id} x{who.samples}",
        remote=True,
    )
    made = build_judge(built, prompt, who)
    return made if name is None else made.named(name)


def _scale_text(anchors: Mapping[int, str], examples: Sequence[Graded]) -> str:
    """What each rating means, and graded answers. Raises ScorerError for one out of the scale."""
    text = "Scale:\n" + "\n".join(
        f"{rating}: {literal(meaning)}" for rating, meaning in sorted(anchors.items())
    )
    for example in examples:
        if not (isinstance(example, Graded) and min(anchors) <= example.rating <= max(anchors)):
            raise ScorerError(
                f"an example of the rubric is {example!r}; give Graded(answer, rating, reason)"
                " within the scale."
            )
        text += (
            f"\n\nAn answer rated {example.rating}, because"
            f" {literal(example.reason)}\n{literal(example.answer)}"
        )
    return text


def _misfit(verdict: Mapping[str, object], *, low: int, high: int) -> str:
    """What is wrong with a judge's fields; "" if they are those asked for."""
    rating = whole_number(verdict.get("score"))
    right = isinstance(verdict.get("reason"), str)
    return (
        ""
        if right and rating is not None and low <= rating <= high
        else f"not the fields asked for, or no rating from {low} to {high}: {snippet(verdict)}"
    )


@declared(
    "judge",
    example="answer_relevance()",
    output="Paris.",
    value=None,
    whole=False,
    source="after RAGAS, arXiv:2309.15217",
    given={"question": "Capital?"},
)
@explained
def answer_relevance(
    *, sees: Sequence[str] | None = None, judge: JudgeModel | str | None = None
) -> JudgeRule:
    """How directly and completely the answer addresses the question, rated 1 to 5 by a judge. [0,
    1], as `rubric`.

    After answer relevance in RAGAS (Es et al. 2023, arXiv:2309.15217), with a rating instead of
    embeddings.

    Args:
        sees: as in `rubric`.
        judge: as in `rubric`.
    """
    return rubric(_RELEVANCE, sees=sees, judge=judge, name="answer_relevance")


@declared(
    "judge",
    example="faithfulness()",
    output="Paris.",
    value=None,
    whole=False,
    source="after RAGAS, arXiv:2309.15217",
    given={"context": "Paris is the capital."},
)
@explained
def faithfulness(context: str = "context", *, judge: JudgeModel | str | None = None) -> JudgeRule:
    """Supported claims / claims of the answer; a judge that sees this row's context checks each
    claim. [0, 1].

    Passed if every claim is supported; an answer without claims is faithful; raw_value: the number
    of unsupported claims. After faithfulness in RAGAS (Es et al. 2023, arXiv:2309.15217).

    Args:
        context: the column with the text that must support the claims.
        judge: as in `rubric`.
    """
    who = JudgeModel.of(judge)
    prompt = judge_prompt(
        "You check whether an answer is supported by a context, claim by claim.",
        "Split the answer into its factual claims, each one statement that can be understood alone."
        " A claim is supported only if the context states it or it follows from the context; your"
        " own knowledge does not count.",
        "Give every claim in the order of the answer; give an empty list where the answer claims"
        " nothing.",
        '"claims": [{"claim": "<statement>", "supported": <true or false>}, ...]',
        ("context", "answer"),
        who,
    )

    async def score(case: Case) -> list[Score]:
        shown = case.example.column(context)
        parts = {
            "context": shown if isinstance(shown, str) else str(shown),
            "answer": answer_of(case.run, case.output),
        }
        asked = (
            consult(case, prompt, parts, _claims_wrong, judge=who, sample=sample)
            for sample in range(who.samples)
        )
        return _joined(
            [_supported(verdict) for verdict in await asyncio.gather(*asked)], "unsupported"
        )

    built = rule(
        spelled("faithfulness", context),
        "judge",
        score,
        needs=[context],
        version=VERSION,
        inner=f"{prompt.id} x{who.samples}",
        remote=True,
    )
    return build_judge(built, prompt, who)


def _anchors(scale: Mapping[int, str] | None) -> Mapping[int, str]:
    anchors = _SCALE if scale is None else scale
    if not isinstance(anchors, Mapping):
        raise ScorerError(f"the scale is {anchors!r}; give a mapping of ratings to what they mean.")
    whole = all(
        isinstance(rating, int) and not isinstance(rating, bool) and isinstance(meaning, str)
        for rating, meaning in anchors.items()
    )
    if not whole or len(anchors) < 2:
        raise ScorerError(
            "a scale needs two whole numbers or more, each with what it means, as in {1: 'wrong',"
            " 5: 'right'}."
        )
    return dict(anchors)


def _rated(verdict: Mapping[str, object] | Unread, low: int, high: int) -> Score:
    if isinstance(verdict, Unread):
        return Score.none(verdict.why)
    rating = whole_number(verdict["score"]) or 0
    return Score(
        (rating - low) / (high - low),
        raw_value=float(rating),
        unit=f"of {high}",
        reason=snippet(verdict["reason"], 400)[1:-1],
    )


def _claims_wrong(verdict: Mapping[str, object]) -> str:
    claims = verdict.get("claims")
    if not isinstance(claims, list):
        return f"not the fields asked for: {snippet(verdict)}"
    right = (
        isinstance(claim, dict)
        and isinstance(claim.get("claim"), str)
        and _told_true(claim.get("supported")) is not None
        for claim in claims
    )
    return "" if all(right) else f"a claim without its two fields: {snippet(verdict)}"


def _told_true(value: object) -> bool | None:
    """A truth value, also as the word for it; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _supported(verdict: Mapping[str, Any] | Unread) -> Score:
    if isinstance(verdict, Unread):
        return Score.none(verdict.why)
    claims = verdict["claims"]
    against = [claim["claim"] for claim in claims if not _told_true(claim["supported"])]
    value = 1 - len(against) / len(claims) if claims else 1.0
    wording = (
        f"{len(against)} of {len(claims)} claims are not supported:"
        f" {'; '.join(snippet(claim, 80) for claim in against[:3])}"
    )
    return Score(
        value,
        not against,
        raw_value=float(len(against)),
        unit="unsupported",
        reason=wording if against else "",
    )


def _joined(samples: list[Score], unit: str) -> list[Score]:
    """The mean of the samples that could be read, and each sample as a verdict of its own where
    there are several.
    """
    if len(samples) == 1:
        return samples
    each = [_renamed(score, f"sample {number}") for number, score in enumerate(samples, 1)]
    read = [score for score in samples if score.value is not None]
    if 2 * len(read) <= len(samples):
        return [
            Score.none(next(score.unscored or "" for score in samples if score.value is None)),
            *each,
        ]
    value = sum(score.value or 0.0 for score in read) / len(read)
    raw_value = sum(score.raw_value or 0.0 for score in read) / len(read)
    verdicts = [score.passed for score in read if score.passed is not None]
    passed = 2 * sum(verdicts) > len(verdicts) if verdicts else None
    return [Score(value, passed, raw_value=raw_value, unit=unit, reason=read[0].reason), *each]


def _renamed(score: Score, name: str) -> Score:
    return Score(
        score.value,
        score.passed,
        score.raw_value,
        score.unit,
        score.reason,
        score.unscored,
        score.category,
        name,
    )
