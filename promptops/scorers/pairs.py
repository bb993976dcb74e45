"""A judge that compares the answer with what another version answered, in both orders; and the
parser of FastChat's form.

The judge sees two numbered answers and no name of a version or model. Orders that disagree are a
tie.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from ..version import PromptVersion
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

__all__ = ["pair_scores", "pairwise"]

_VALUES = {"A": 1.0, "tie": 0.5, "B": 0.0}
_HIGHEST = 10.0  # of FastChat's scale


@declared(
    "judge",
    example='pairwise("more helpful", "p1-00000000000000000000000000000000")',
    output="An answer.",
    value=None,
    whole=False,
    source="both orders; Zheng et al. 2023, arXiv:2306.05685",
    given={"reference": "Another."},
)
@explained
def pairwise(
    criteria: str,
    against: object,
    *,
    sees: Sequence[str] | None = None,
    judge: JudgeModel | str | None = None,
    name: str | None = None,
) -> JudgeRule:
    """Whether a judge prefers the answer to that of `against`: 1 if it is preferred in both orders,
    0 if the other one is, 0.5 for a tie.

    With several samples, the value is their mean and the label is that of the mean.

    Args:
        criteria: what makes an answer better.
        against: a version, a saved one, or its id; its run on the same example and repeat is the
            reference. If the orders disagree, the result is a tie; equal answers are a tie without
            a call. label: "A" (this answer), "B" or "tie"; "shown first" and "shown second" are
            the verdicts of the two orders, which measure position bias. Higher is better.
        sees, judge: as in `rubric`.
        name: the display name, part of the scorer's name.
    """
    version = against if isinstance(against, str) else getattr(against, "id", None)
    if not isinstance(version, str) or not version.startswith("p1-"):
        raise ScorerError(
            f"pairwise was given {snippet(against)}; give a version or its id, which begins with"
            " p1-."
        )
    who = JudgeModel.of(judge)
    prompt = judge_prompt(
        "You compare two answers to the same task by the criteria below.",
        criteria,
        "The order of the answers, their length and their confidence are no merits. Say tie where"
        " neither is better.",
        '"reason": "<one or two sentences>", "better": "<1, 2 or tie>"',
        ("task", "answer_1", "answer_2"),
        who,
    )

    async def score(case: Case) -> list[Score]:
        return await _preferred(case, prompt, who, version=version, sees=sees)

    shown = spelled("pairwise", snippet(criteria, 40).strip('"'), against=version[:19])
    built = rule(
        shown,
        "judge",
        score,
        needs=list(sees or ()),
        version=VERSION,
        inner=f"{prompt.id} x{who.samples} {version}",
        against=version,
        remote=True,
    )
    made = build_judge(built, prompt, who, orders=2)
    return made if name is None else made.named(name)


async def _preferred(
    case: Case,
    prompt: PromptVersion,
    who: JudgeModel,
    *,
    version: str,
    sees: Sequence[str] | None,
) -> list[Score]:
    """The judge's preference over both orders and all samples. version: whose run is the
    reference.
    """
    other = case.reference.output if case.reference is not None else None
    if case.reference is None or (other is None and not case.reference.tool_calls):
        return [
            Score.none(
                f"missing reference: example {case.example.id!r} has no answer of version"
                f" {version[:11]}"
            )
        ]
    own, other = answer_of(case.run, case.output), answer_of(case.reference, other or "")
    if own.strip() == other.strip():  # nothing to prefer, and nothing to pay for
        return [Score(_VALUES["tie"], category="tie", reason="the answers are the same")]
    task = shown_inputs(case, sees)
    orders = [
        {"task": task, "answer_1": one, "answer_2": two}
        for one, two in ((own, other), (other, own))
    ]
    asked = [
        consult(case, prompt, parts, _wrong, judge=who, sample=sample)
        for sample in range(who.samples)
        for parts in orders
    ]
    found = await asyncio.gather(*asked)
    return _settled(found[0::2], found[1::2])


def _wrong(verdict: Mapping[str, object]) -> str:
    return (
        ""
        if isinstance(verdict.get("reason"), str) and _better(verdict.get("better")) is not None
        else f"not the fields asked for: {snippet(verdict)}"
    )


def _settled(
    first: Sequence[Mapping[str, object] | Unread], second: Sequence[Mapping[str, object] | Unread]
) -> list[Score]:
    """The score, and the verdicts of each order. first: where this answer stood first, one for each
    sample.
    """
    shown_first = [
        verdict if isinstance(verdict, Unread) else _side(verdict, "1") for verdict in first
    ]
    shown_second = [
        verdict if isinstance(verdict, Unread) else _side(verdict, "2") for verdict in second
    ]
    pairs = [_both(one, two) for one, two in zip(shown_first, shown_second, strict=True)]
    each = [
        _of_order(sides, name)
        for sides, name in ((shown_first, "shown first"), (shown_second, "shown second"))
    ]
    read = [label for label in pairs if not isinstance(label, Unread)]
    if 2 * len(read) <= len(pairs):
        return [Score.none(next(label.why for label in pairs if isinstance(label, Unread))), *each]
    value = sum(_VALUES[label] for label in read) / len(read)
    label = "tie" if value == 0.5 else "A" if value > 0.5 else "B"
    split = any(
        one != two
        for one, two in zip(shown_first, shown_second, strict=True)
        if not isinstance(one, Unread)
    )
    wording = next((verdict["reason"] for verdict in first if not isinstance(verdict, Unread)), "")
    reason = f"the two orders disagree: {wording}" if split else str(wording)
    return [Score(value, category=label, reason=snippet(reason, 400)[1:-1]), *each]


def _side(verdict: Mapping[str, object], own: str) -> str:
    better = _better(verdict["better"])
    return "tie" if better == "tie" else "A" if better == own else "B"


def _better(value: object) -> str | None:
    """The answer that is called better, "1", "2" or "tie", however it is written; None for anything
    else.
    """
    if isinstance(value, str) and value.strip().lower() == "tie":
        return "tie"
    number = whole_number(value)
    return str(number) if number in (1, 2) else None


def _both(one: str | Unread, two: str | Unread) -> str | Unread:
    if isinstance(one, Unread):
        return one
    if isinstance(two, Unread):
        return two
    return one if one == two else "tie"


def _of_order(sides: Sequence[str | Unread], name: str) -> Score:
    read = [side for side in sides if not isinstance(side, Unread)]
    if not read:
        return Score.none(next(side.why for side in sides if isinstance(side, Unread)), name=name)
    value = sum(_VALUES[side] for side in read) / len(read)
    return Score(value, category="tie" if value == 0.5 else "A" if value > 0.5 else "B", name=name)


@explained
def pair_scores(text: str) -> tuple[float, float] | None:
    """The two scores of a FastChat judgement: two numbers from 0 to 10 in its first line, separated
    by a space or comma; None for any other text.

    This is the rule of FastChat's own evaluation of 2023 (scores first, then the reasons); other
    formats are not guessed.
    """
    words = text.lstrip().partition("\n")[0][:200].replace(",", " ").split()
    if len(words) != 2:
        return None
    try:
        first, second = float(words[0]), float(words[1])
    except ValueError:
        return None
    good = all(math.isfinite(score) and 0 <= score <= _HIGHEST for score in (first, second))
    return (first, second) if good else None
