"""The primary judged over tasks: what holds for tasks like these, not for examples like these.

Under `estimand="tasks"` each tag is a task, and the mean gain over tasks decides, with its spread
between tasks (random effects by REML, Hartung and Knapp's interval, t with m - 1 degrees of
freedom). One large task cannot win for the others, and a gain that depends on the task needs more
tasks, not more examples. Everything else of a policy stays as it is over examples: must-pass
examples, completeness, guardrails, cost, tags that lose.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..errors import StatisticsError
from ..policy import Policy
from . import words
from .compare import ComparisonFacts
from .e_values import e_value
from .facts import rounded
from .policy_checks import Check, DecisionRule, main, primary
from .random_effects import Combined
from .slices import part_of, places_of
from .tasks import over_tags

__all__ = ["PrimaryClaim", "claim", "judged_tasks", "primary_check", "task_figures"]

_LEAST = 2  # tasks that a spread between tasks can be seen of
_MORE = "Read the dataset with tags= the column of its tasks, one task per example."


class PrimaryClaim(NamedTuple):
    """What the primary shows under a policy's estimand: its gain, and p that it is not above 0."""

    gain: float
    p_better: float


def claim(comparison: ComparisonFacts, policy: Policy) -> PrimaryClaim:
    """The gain and p of the primary, over examples or over tasks; p = 1 if tasks say nothing."""
    figures = main(comparison, policy)
    if policy.estimand == "examples":
        return PrimaryClaim(figures.gain, figures.p_better)
    try:
        found = judged_tasks(comparison, policy)
    except StatisticsError:
        return PrimaryClaim(figures.gain, 1.0)
    return PrimaryClaim(found.mean, found.p_better)


def judged_tasks(comparison: ComparisonFacts, policy: Policy) -> Combined:
    """The primary's gain over tasks.

    Raises:
        StatisticsError: an example has no task or several, there are fewer than two tasks, or the
            primary has no 0-1 scale of its own.
    """
    name = main(comparison, policy).name
    pairs = comparison.pairs(name)
    if pairs.measure or pairs.scale != 1.0:
        raise StatisticsError(f"{name} cannot be judged over tasks; name a scorer as the primary.")
    tags = comparison.grounds.tags
    for example in pairs.examples:
        count = len(set(tags.get(example, ())))
        if count != 1:
            has = "no task" if not count else f"{count} tasks"
            raise StatisticsError(
                f"the example {example!r} has {has}; over tasks each example has one tag."
            )
    small = [tag for tag, where in places_of(pairs, tags).items() if len(where) < _LEAST]
    if small:
        raise StatisticsError(f"the task {small[0]!r} has one example; a task needs two or more.")
    found = over_tags(comparison, name=name).combined
    if found is None:
        raise StatisticsError("all examples are of one task; a verdict over tasks needs two.")
    return found


def primary_check(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> Check:
    """The primary under the policy's goal and estimand."""
    figures = main(comparison, policy)
    if policy.estimand == "examples" or not figures.n:
        return primary(comparison, policy, rule)
    try:
        found = judged_tasks(comparison, policy)
    except StatisticsError as error:
        text = f"The policy judges over tasks, but {error}"
        return Check(figures.name, "unproven", text, _MORE)
    if rule.peeking:
        text = f"{found.statement()} A verdict over tasks waits for all examples."
        return Check(figures.name, "unproven", text, "Go on to the planned number of examples.")
    if policy.goal != "better":
        return _not_worse(figures.name, found, policy, rule, alike=comparison.grounds.rules >= 3)
    return _better(figures.name, found, policy, rule, _e_of(comparison, figures.name))


def task_figures(comparison: ComparisonFacts, policy: Policy) -> dict[str, object]:
    """What a bundle keeps of a verdict over tasks; {} if the verdict is over examples."""
    if policy.estimand == "examples":
        return {}
    try:
        found = judged_tasks(comparison, policy)
    except StatisticsError:
        return {}
    kept = {
        "tasks": found.tasks,
        "mean": found.mean,
        "se": found.se,
        "tau": found.tau,
        "p_better": found.p_better,
        "p_spread": found.p_spread,
    }
    return {"over tasks": {name: rounded(value) for name, value in kept.items()}}


def _better(
    name: str, found: Combined, policy: Policy, rule: DecisionRule, evidence: float
) -> Check:
    wanted = rule.wanted_e(policy.alpha)
    if wanted is not None:
        settled = evidence >= wanted
    elif rule.p_better is not None:
        settled = rule.p_better <= policy.alpha
    else:
        settled = found.p_better <= policy.alpha * rule.share
    wording = found.statement()
    if settled and found.mean >= policy.min_effect - 1e-12:
        return Check(name, "pass", wording)
    if found.p_worse <= policy.alpha:
        return Check(name, "fail", f"It is worse: {wording}", "Look at the tasks that lost first.")
    if settled:
        text = f"{wording} That is below the least effect of {words.points(policy.min_effect)}."
        fix = "Find a larger gain, or lower min_effect by review."
        return Check(name, "unproven", text, fix)
    if wanted is not None:
        text = (
            f"Not settled: {wording} E over tasks = {words.number(evidence)},"
            f" {words.number(wanted)} is needed after what was tried before."
        )
        return Check(name, "unproven", text, "Evaluate on tasks that no earlier study asked.")
    return Check(name, "unproven", f"Not settled: {wording}", _next(found, policy.alpha))


def _not_worse(
    name: str, found: Combined, policy: Policy, rule: DecisionRule, *, alike: bool
) -> Check:
    wanted = rule.wanted_e(policy.alpha)
    alpha = policy.alpha * rule.share if wanted is None else 1 / wanted
    bound = found.bound(alpha, alike=alike)
    wording = (
        f"{found.statement()} At worst {words.points(bound)} (one-sided"
        f" {100 * (1 - alpha):.3g} %, also where each task counts alike), the margin is"
        f" {words.points(policy.margin).lstrip('+')}."
    )
    if bound > -policy.margin:
        return Check(name, "pass", wording)
    if found.p_worse <= alpha:
        return Check(name, "fail", f"It is worse: {wording}", "Look at the tasks that lost first.")
    return Check(
        name, "unproven", f"Not settled: {wording}", "Add tasks, or widen margin by review."
    )


def _next(found: Combined, alpha: float) -> str:
    """How many tasks like these would settle a gain like this: 80 % power, plus 15 %."""
    if found.mean <= 0:
        return "The mean over tasks is not in its favour: no number of tasks would promote it."
    from scipy.special import ndtri

    spread = found.se * math.sqrt(found.tasks)
    need = 1.15 * ((float(ndtri(1 - alpha)) + float(ndtri(0.8))) * spread / found.mean) ** 2
    if need > 1e6:
        return "The mean over tasks is too small for any number of tasks to settle it."
    more = max(math.ceil(need) - found.tasks, 1)
    return f"{words.count(more, 'more task')} like these would settle it at this mean (80 % power)."


def _e_of(comparison: ComparisonFacts, name: str) -> float:
    """The e-value of the tasks' gains, a task each."""
    pairs = comparison.pairs(name)
    places = places_of(pairs, comparison.grounds.tags)
    return e_value([float(part_of(pairs, where).d.mean()) for where in places.values()])
