"""The card that answers at a glance: the decision as a word, the effect as one large number with
its interval drawn to scale, what it costs, the one thing to know before saying yes, and the next
step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..analysis.arms import MEASURES
from ..errors import PromptOpsError
from ..markup import esc
from . import svg
from .theme import VERDICTS, in_text

if TYPE_CHECKING:
    from ..analysis.facts import Difference
    from ..analysis.verdict import Verdict
    from ..lab.comparison import Comparison

__all__ = ["answer_card", "cost_per_thousand", "effect"]

_CAUTIONS = 2  # sentences beside the effect; all of them are below


def answer_card(comparison: Comparison) -> str:
    """The card over the full width of a comparison. Safe markup."""
    verdict = comparison.verdict
    tint, sign = VERDICTS[verdict.decision]
    against = f" over {esc(verdict.baseline)}" if verdict.baseline else " as a first deployment"
    goal = esc(verdict.policy.goal.replace("_", " "))
    head = (
        f"<b class='v'>{sign} {esc(verdict.decision)}</b> <span class='dim'>"
        f"{esc(verdict.candidate)}{against}, goal {goal}</span>"
    )
    figures = comparison.primary
    left = (
        f"<div>{head}<div class='po-effect'>{esc(effect(figures))}"
        f"<span class='dim'> on {esc(comparison.primary_name)}</span></div>"
        f"{_drawn(comparison)}<p class='po-facts'>{_facts(comparison)}</p>"
        f"<p>{esc(comparison.statement())}</p>{_over_tasks(comparison, verdict)}</div>"
    )
    right = f"<div>{_before_yes(comparison, verdict)}{_next(comparison, verdict)}</div>"
    return f"<div class='card po-answer' style='--po-accent:{in_text(tint)}'>{left}{right}</div>"


def _over_tasks(comparison: Comparison, verdict: Verdict) -> str:
    """What the verdict rests on where the policy judges over tasks: the primary's own check."""
    if verdict.policy.estimand != "tasks" or verdict.decision != "promote":
        return ""  # what is missing says it
    name = verdict.policy.primary or comparison.primary_name
    return "".join(f"<p>{esc(c.text)}</p>" for c in verdict.checks if c.name == name)


def effect(figures: Difference) -> str:
    """The difference as one number: points of a score, percent of a cost or a latency."""
    if not figures.n:
        return "not known"
    if figures.name in MEASURES:
        if not figures.baseline:
            return "not known"
        return f"{words.signed(-100 * figures.gain / figures.baseline)} %"
    return words.points(figures.gain)


def cost_per_thousand(value: float | None) -> str:
    """What a thousand answers cost, in USD; "unknown" where no price is known."""
    return "unknown" if value is None or value != value else words.money(1000 * value)


def _drawn(comparison: Comparison) -> str:
    """The effect's interval to scale, or ""."""
    figures = comparison.primary
    if figures.low is None or figures.high is None or figures.name in MEASURES:
        return ""
    rails = [rail for rail in comparison.policy.guardrails if rail.tag is None]
    margins = {rail.metric: rail.margin for rail in rails}
    margin = margins.get(figures.name)
    ends = (100 * figures.gain, 100 * figures.low, 100 * figures.high)
    text = f"{effect(figures)}, 90 % interval {words.interval(figures.low, figures.high)}"
    return svg.gauge(*ends, margin=None if margin is None else 100 * margin, title=text)


def _facts(comparison: Comparison) -> str:
    """p, n and cost in one line."""
    figures = comparison.primary
    unit = "distinct example" if comparison.grounds.copies else "example"
    parts = [f"<span>n = <b>{figures.n:,}</b> {unit}{'' if figures.n == 1 else 's'}</span>"]
    if figures.wins + figures.losses:
        p = min(figures.p_better, figures.p_worse)
        figure = words.p_number(p)
        shown = f"p {'' if figure.startswith('<') else '= '}{figure}"
        parts.insert(0, f"<span><b>{esc(shown)}</b>, one-sided</span>")
    cost = next((each for each in comparison.differences if each.name == "cost"), None)
    if cost is not None and cost.n:
        before, now = (cost_per_thousand(value) for value in (cost.baseline, cost.candidate))
        parts.append(f"<span>1,000 answers cost <b>{esc(now)}</b> (before {esc(before)})</span>")
    return " · ".join(parts)


def _before_yes(comparison: Comparison, verdict: Verdict) -> str:
    """What is missing for a promotion, or the one thing to know before it."""
    statement = comparison.statement()
    if verdict.decision == "promote":
        title, text = "Before you say yes", _cautions(comparison)[:_CAUTIONS]
        text = text or ["Nothing in these data speaks against it."]
    else:
        title = "Why not" if verdict.decision == "reject" else "What is missing"
        text = [reason for reason in verdict.reasons if statement not in reason][:4]
        if not text:  # the effect itself is the reason
            title, text = "Keep in mind", _cautions(comparison)[:_CAUTIONS]
    listed = "".join(f"<li>{esc(sentence)}</li>" for sentence in text)
    return f"<h4>{title}</h4><ul>{listed}</ul>" if listed else ""


def _cautions(comparison: Comparison) -> list[str]:
    """What speaks against a promotion although it holds, the gravest first: a loss in a slice that
    may be luck comes last.
    """
    try:
        found = comparison.slices() if comparison.grounds.tags else None
    except PromptOpsError:
        found = None
    told = [] if found is None else list(zip(found.against, found.simpson, strict=True))
    shown = [text for row, text in told if row.marked]
    return [*shown, *comparison.notes, *(text for row, text in told if not row.marked)]


def _next(comparison: Comparison, verdict: Verdict) -> str:
    """The next step: the verdict's own, or the line that promotes."""
    if verdict.next:
        steps = "".join(f"<li>{esc(step)}</li>" for step in verdict.next)
        return f"<h4>Next</h4><ul>{steps}</ul>"
    prompt, study = comparison.grounds.prompt, comparison.grounds.study
    number = comparison.candidate.label.removeprefix("v").split(" ")[0]
    if verdict.decision != "promote" or not prompt or not study or not number.isdecimal():
        return ""
    line = f"lab.promote(lab.prompt({prompt!r})[{number}], env=..., study=study)"
    return f"<h4>Next</h4><pre>{esc(line)}</pre>"
