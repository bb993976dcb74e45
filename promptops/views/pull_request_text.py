"""What a pull request's comment says of a study beside its comparison: the first examples that got
worse with both answers, what the answers cost, and what the gate would say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..analysis import words
from ..errors import PromptOpsError
from ..lab.prompt import Prompt
from ..markup import code, shorten
from ..markup import markdown as md
from ..study.queries.call_figures import cost_of_study
from .changed_examples import changed_examples

if TYPE_CHECKING:
    from ..lab.comparison import Comparison
    from ..lab.study import Study

__all__ = ["pull_request_text"]

_MOST = 5
_TEXT = 200  # characters of one answer


def pull_request_text(study: Study, comparison: Comparison, env: str = "") -> str:
    """The paragraphs, as Markdown. env: the environment whose gate is asked about the candidate;
    "": no gate is asked.
    """
    parts = ["\n".join(_losses(comparison)), _cost(study)]
    if env:
        parts.append("\n".join(_gate(study, comparison, env)))
    return "\n\n".join(part for part in parts if part)


def _losses(comparison: Comparison) -> Iterator[str]:
    flips = comparison.flips()
    total = int((flips["gain"] < 0).sum())
    if not total:
        yield "No example got worse."
        return
    lost = [each for each in changed_examples(comparison, total) if each.gain < 0][:_MOST]
    more = "" if total <= _MOST else f", the first {_MOST} of {total:,}"
    yield f"**Got worse{more}**"
    yield ""
    if not lost:  # of answers that are not at hand, the names are
        for example in list(flips[flips["gain"] < 0]["example_id"])[:_MOST]:
            yield f"- {code(shorten(example, _TEXT))}"
    old, new = md(comparison.baseline.label), md(comparison.candidate.label)
    for each in lost:
        golden = f", expected {code(shorten(each.expected, _TEXT))}" if each.expected else ""
        answers = [code(shorten(answer, _TEXT)) for answer in each.answers]
        yield (
            f"- {code(shorten(each.example, _TEXT))}{golden}: {old} answered {answers[0]},"
            f" {new} {answers[1]}"
        )


def _cost(study: Study) -> str:
    answers, usd, priced = cost_of_study(study.recorded.project.store, study.id)
    if not answers:
        return ""
    if usd is None:
        return f"Cost: unknown, of {words.count(answers, 'answer')}."
    some = "" if priced == answers else f" ({answers - priced:,} of unknown cost)"
    money = md(words.money(float(usd)))
    return f"Cost: {money} for {words.count(answers, 'answer')}{some}, recorded ones included."


def _gate(study: Study, comparison: Comparison, env: str) -> Iterator[str]:
    recorded = study.recorded
    arm = recorded.record.arm(comparison.candidate.version)
    try:
        points = study.gate(Prompt(recorded.project, arm.prompt)[arm.version], env=env)
    except PromptOpsError as error:
        yield f"**Gate of {md(env)}**: not asked: {md(error)}"
        return
    if not points:
        yield f"**Gate of {md(env)}**: {md(arm.label)} may be promoted on this study."
        return
    yield f"**Gate of {md(env)}**: {md(arm.label)} would be refused."
    yield ""
    yield from (f"- {md(point)}" for point in points)
