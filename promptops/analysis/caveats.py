"""What a careful reader should know before trusting a comparison: one sentence each, reported every
time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from . import words
from .clustered import DOMINATES
from .intervals import no_failures
from .units import labels_of
from .weight_words import weighed_statement

if TYPE_CHECKING:
    from .arms import Arm
    from .compare import ComparisonContext, ComparisonFacts

__all__ = ["caveats", "copied", "elsewhere", "relabelled"]

_OUTPUTS = "x1-"  # begins the id of outputs whose prompt is not known, which cannot be asked again
DAY_S = 86400  # answers this far apart may be another model's
_SMALL_LOSS = 0.25  # on the 0-1 scale; above it, large losses were seen and are in the figures
SPLIT_WORN = 20  # verdicts that one test split may serve before adaptive reuse matters


def caveats(comparison: ComparisonFacts) -> Iterator[str]:
    """Sentences, most important first."""
    yield from elsewhere(comparison.candidate, comparison.baseline)
    if comparison.weighed is not None:
        yield weighed_statement(comparison.weighed)
    yield from relabelled(comparison.grounds)
    yield from _completeness(comparison)
    yield from _discipline(comparison)
    yield from _alike(comparison)
    yield from _judges(comparison)
    yield from _cost(comparison)


def elsewhere(*arms: Arm) -> Iterator[str]:
    """How many runs came in with a file, which itself says where they are from."""
    for arm in arms:
        came = int(arm.facts.get("imported") or 0)
        if came:
            yield (
                f"{came:,} of {words.count(int(arm.facts['calls']), 'run')} of {arm.label} came"
                f" from elsewhere ({_list(set(arm.facts.get('files') or ()))}): they are what that"
                " file says, and nobody here saw the model answer."
            )
        elif "imported" in (arm.facts.get("sources") or ()):
            yield (
                f"The {words.count(int(arm.facts['calls']), 'run')} of {arm.label} came from"
                " elsewhere: they are what an imported file or table says, and nobody here saw the"
                " model answer."
            )


def relabelled(grounds: ComparisonContext) -> Iterator[str]:
    """What golden answers that were changed after the answers did to each arm."""
    if grounds.relabelled:
        moved = " and ".join(
            f"{more:,} up and {less:,} down for {label}" for label, more, less in grounds.relabelled
        )
        yield (
            "Golden answers were changed after these answers had been scored, which moved the"
            f" outcomes of examples: {moved}. Who corrects them while looking at the answers of one"
            " version favours it; new examples would settle it."
        )


def _completeness(comparison: ComparisonFacts) -> Iterator[str]:
    first, b, a = comparison.primary, comparison.candidate.label, comparison.baseline.label
    yield from copied(comparison.grounds)
    yield from _constant(comparison)
    if first.unscored:
        yield (
            f"{words.count(first.unscored, 'pair')} of {first.n + first.unscored:,} could not be"
            f" scored and {'is' if first.unscored == 1 else 'are'} left out, not counted as 0."
        )
    if first.only_candidate or first.only_baseline:
        yield (
            f"Not in both arms: {words.count(first.only_candidate, 'example')}"
            f" {'was' if first.only_candidate == 1 else 'were'} asked of {b} only,"
            f" {first.only_baseline:,} of {a} only."
        )
    if first.repeats > 1:
        yield (
            f"{first.repeats} repeats per example are averaged first:"
            f" {words.count(first.n, 'example')} {'counts' if first.n == 1 else 'count'}, not"
            f" {first.n * first.repeats:,} answers."
        )
    planned = comparison.grounds.planned
    if planned is not None and first.n + first.unscored < planned:
        asked = first.n + first.unscored
        yield f"{asked:,} of {planned:,} planned examples were asked of both arms."
    yield from _unseen_losses(comparison)
    yield from _dominating(comparison)
    if first.clusters:
        yield (
            f"{words.count(first.n, 'example')} come in"
            f" {words.count(first.clusters, 'cluster')}; the clusters count as the independent"
            " units."
        )
    if first.clusters and comparison.grounds.clustered_by:
        yield (
            f"The study {comparison.grounds.clustered_by[0]} judged these examples by clusters that"
            " this dataset does not declare; they stay in force."
        )


def _unseen_losses(comparison: ComparisonFacts) -> Iterator[str]:
    """What so few examples cannot exclude, if none of them lost much: the independent units count,
    and a loss that was never seen may cost a whole point.
    """
    first, d = comparison.primary, comparison.pairs().d
    # a list if numpy is not installed
    worst = -float(d.min() if hasattr(d, "min") else min(d)) if len(d) else 0.0
    units = first.clusters or first.n
    rare, among = no_failures(units), f"{first.n:,}"
    if first.clusters:
        among += f" ({words.count(first.clusters, 'cluster')})"
    if not first.wins or comparison.pairs().measure:
        return
    if not first.losses:
        more = "."
        if not (first.binary and first.repeats == 1):
            more = ", and a rare large loss may outweigh many small gains."
        yield (
            f"No example got worse in {among}: losses in up to {words.percent(rare)} of all"
            f" examples cannot be excluded{more}"
        )
    elif worst <= _SMALL_LOSS and 0 < first.gain < rare * (1 - worst):
        yield (
            f"No example lost more than {words.points(worst).lstrip('+')} in {among}: larger losses"
            f" in up to {words.percent(rare)} of all examples cannot be excluded, and would"
            " outweigh the gain."
        )


def _constant(comparison: ComparisonFacts) -> Iterator[str]:
    """The best constant answer beside the accuracies."""
    found = comparison.classes
    if found is not None:
        arms = (comparison.baseline.label, comparison.candidate.label)
        means = ", ".join(f"{arm} {words.percent(found.balanced[arm])}" for arm in arms)
        yield (
            f"Always answering {found.constant!r} would be right on"
            f" {words.percent(found.constant_score)}; balanced accuracy: {means}."
        )


def copied(grounds: ComparisonContext) -> Iterator[str]:
    """How many rows are copies of others, and how many inputs contradict each other."""
    if grounds.copies:
        distinct = len(set(grounds.copies.values()))
        yield (
            f"{words.count(len(grounds.copies), 'row')} repeat{'s' * (len(grounds.copies) == 1)}"
            f" {words.count(distinct, 'other example')}: copies count as one example, so"
            f" {grounds.planned or 0:,} distinct examples are compared."
        )
    if grounds.contradictory:
        yield (
            f"{words.count(grounds.contradictory, 'input')}"
            f" {'has' if grounds.contradictory == 1 else 'have'} contradictory golden answers."
        )


def _dominating(comparison: ComparisonFacts) -> Iterator[str]:
    """Which cluster holds half of the examples or more."""
    labels = labels_of(comparison.pairs(), comparison.grounds.clusters)
    if labels is None:
        return
    name, size = Counter(labels).most_common(1)[0]
    if size >= DOMINATES * len(labels):
        yield (
            f"{name} holds {words.percent(size / len(labels), 0)} of the examples: the verdict"
            " rests on it."
        )


def _discipline(comparison: ComparisonFacts) -> Iterator[str]:
    grounds = comparison.grounds
    if grounds.tried.needed(comparison.alpha) is not None:
        first = comparison.primary
        in_force = grounds.tried.statement(comparison.alpha, first.n, first.n_needed)
        found = "not known" if first.e_value is None else words.e_value(first.e_value)
        yield f"{in_force} This comparison's E is {found}."
    if grounds.pooled:
        yield grounds.pooled
    plan = grounds.plan or {}
    if plan.get("departures"):
        late = any("before the plan was frozen" in one for one in plan["departures"])
        repair = (
            "ask again with fresh=True, or plan on rows that were not asked yet"
            if late
            else "evaluate what the plan fixed"
        )
        yield (
            f"The plan {str(plan['id'])[:9]} was not followed, so the lead may be optimistic:"
            f" {'; '.join(plan['departures'])}. To repair it, {repair}."
        )
    elif grounds.tested and plan.get("frozen"):
        yield (
            f"The plan {str(plan['id'])[:9]}, frozen {str(plan['frozen'])[:16].replace('T', ' ')}"
            " UTC before the runs, was followed."
        )
    elif not grounds.tested:
        where = f"split {grounds.split!r}" if grounds.split else "all rows of the study"
        yield (
            f"Not split-tested: {where}, fixed by no plan before the runs; if prompts were tuned on"
            " these rows, the lead is optimistic."
        )
    if grounds.served is not None and grounds.served > SPLIT_WORN:
        yield (
            f"This split has already served {grounds.served} verdicts; past {SPLIT_WORN}, choosing"
            " on it begins to overfit: refresh it."
        )
    if grounds.noise is None:
        way = "the baseline needs 10 examples that were answered twice"
        if grounds.study and not comparison.baseline.version.startswith(_OUTPUTS):
            way = "version.noise(dataset) asks a version against itself"
        yield f"A/A noise floor: not measured ({way})."
    else:
        gain, low, high = grounds.noise
        yield (
            f"A/A noise floor: the same version against itself differs by {words.points(gain)} (90"
            f" % interval {words.interval(low, high)})."
        )


def _alike(comparison: ComparisonFacts) -> Iterator[str]:
    b, a = comparison.candidate, comparison.baseline
    yield from comparison.grounds.shown
    yield from comparison.grounds.mixed
    if not comparison.grounds.mixed:
        yield from _answered_apart(a, b)
    yield from _days(a, b)


def _answered_apart(a: Arm, b: Arm) -> Iterator[str]:
    """Names and fingerprints that differ, of arms whose answers were not looked at one by one."""
    ours, theirs = set(b.facts.get("fingerprints") or ()), set(a.facts.get("fingerprints") or ())
    if ours and theirs and ours != theirs:
        yield (
            f"The arms were answered by different model fingerprints ({_list(theirs)} for"
            f" {a.label}, {_list(ours)} for {b.label})."
        )
    ours, theirs = set(b.facts.get("returned") or ()), set(a.facts.get("returned") or ())
    if (
        ours
        and theirs
        and ours != theirs
        and set(b.facts.get("models") or ()) == set(a.facts.get("models") or ())
    ):
        yield (
            f"The same model name was answered by different models ({_list(theirs)} for {a.label},"
            f" {_list(ours)} for {b.label})."
        )
    for arm in (a, b):
        returned = arm.facts.get("returned") or ()
        if len(set(returned)) > 1 and len(set(arm.facts.get("models") or ())) == 1:
            yield (
                f"{arm.label} was answered by more than one model under one name"
                f" ({_list(set(returned))}); fresh=True asks all of it again."
            )


def _days(*arms: Arm) -> Iterator[str]:
    """What was recorded long apart, and what asking the older answers again would cost. Arms that
    were asked over the same days compare like with like, however many those were; an arm of which
    only a part is as new as the other is called that.
    """
    spans = [
        (_moment(arm.facts["first"]), _moment(arm.facts.get("last") or arm.facts["first"]))
        for arm in arms
        if arm.facts.get("first")
    ]
    if len(spans) < 2:
        return
    (older, (_, ended)), (_, (began, _)) = sorted(
        zip(arms, spans, strict=True), key=lambda found: found[1]
    )
    if (gap := (began - ended).total_seconds()) > DAY_S:
        yield (
            f"Recorded {words.duration(gap)} apart: the model may have changed between; asking"
            f" {older.label} again would cost about {_again(older)}."
        )
        return
    if all(abs((one - other).total_seconds()) <= DAY_S for one, other in zip(*spans, strict=True)):
        return
    for arm, (first, last) in zip(arms, spans, strict=True):
        if (spread := (last - first).total_seconds()) > DAY_S:
            yield (
                f"{arm.label} is partly refreshed, its runs were recorded over"
                f" {words.duration(spread)}: the model may have changed between; asking all of"
                f" {arm.label} again would cost about {_again(arm)}."
            )


def _again(arm: Arm) -> str:
    return (
        "an unknown sum"
        if arm.facts.get("cost_unknown")
        else words.money(arm.facts.get("cost_usd"))
    )


def _judges(comparison: ComparisonFacts) -> Iterator[str]:
    for figures in comparison.scorers:
        if figures.kind == "judge" and not figures.calibrated:
            yield (
                f"{figures.name} is an uncalibrated judge: its agreement with people is not"
                " measured."
            )


def _cost(comparison: ComparisonFacts) -> Iterator[str]:
    unknown = [
        f"{arm.facts['cost_unknown']:,} of {arm.facts['calls']:,} runs of {arm.label}"
        for arm in (comparison.candidate, comparison.baseline)
        if arm.facts.get("cost_unknown") and arm.facts.get("calls")
    ]
    if unknown:
        yield (
            f"The cost of {' and of '.join(unknown)} is unknown (no price for the model), which is"
            " not 0."
        )


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _moment(text: object) -> datetime:
    return text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
