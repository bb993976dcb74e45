"""From recorded runs to comparisons: within one study, or over the latest studies of two
versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ..analysis.arms import Arm, part
from ..analysis.compare import ComparisonFacts, compare
from ..analysis.constant_answer import scorer_of
from ..analysis.pooled_copies import collapse
from ..errors import StudyError
from ..markup import count
from ..store.sitting import sitting
from .asking_order import order
from .compared import Compared
from .design import as_version, versions_apart
from .early_stopping import early, looked_at
from .golden_labels import labelled_arms
from .grounds import (
    arm_beside,
    baseline_of,
    copies_in,
    frozen_plan,
    grounds_of,
    labels_in,
    policy_for,
    pooled_grounds,
    searched_notes,
)
from .judgements import pooled, pooled_note, pooled_size, tried_before
from .other_model import other_models
from .queries.studies import newest_holding
from .recorded_study import RecordedStudy, find_study
from .split_wear import keep_verdict
from .stored_arms import Source, arms_of, latest_sources

if TYPE_CHECKING:
    from ..analysis.comparison_context import ComparisonContext
    from ..analysis.standings import Ranking
    from ..analysis.tried import Tried
    from .project import Project
    from .study_record import ArmRecord, ScorerRef

    Pair = tuple[Arm, Arm]

__all__ = [
    "compare_across",
    "compare_in",
    "described_in",
    "leaderboard",
    "leaderboard_across",
    "rival_arms",
]


@sitting()
def compare_in(
    study: RecordedStudy,
    candidate: object,
    baseline: object,
    primary: str | None,
    *,
    weights: str | None = None,
) -> Compared:
    """Two arms of one study.

    Args:
        study: the study that holds both.
        candidate: a version, label or id; None: the last arm.
        baseline: the same; None: the incumbent of prod where the study holds it, else the first
            arm.
        primary: the scorer that decides; None: the policy's.
        weights: None (the policy's, else copies count once), "rows" (the means weigh an example by
            its copies) or a column of numbers.

    Raises:
        StudyError: an arm is not in the study, or both are the same.
    """
    sources = study.record.sources(_pair(study, candidate, baseline))
    found = _read(study, sources, study.record.scorers)
    return _compared(found, sources, study, primary, weights)


@sitting()
def described_in(
    study: RecordedStudy, candidate: object, baseline: object, primary: str | None
) -> ComparisonFacts:
    """Two arms on this study's own examples and answers, whatever was judged before on them: facts
    to describe, and not to decide by. Arguments and errors are those of `compare_in`.
    """
    sources = study.record.sources(_pair(study, candidate, baseline))
    first, second = _read(study, sources, study.record.scorers)
    policy = policy_for(study)
    name = primary or policy.primary or study.record.primary or None
    grounds = grounds_of(study, (first, second), name)
    return compare(first, second, grounds=grounds, primary=name, ties=policy.ties)


def _pair(study: RecordedStudy, candidate: object, baseline: object) -> tuple[ArmRecord, ArmRecord]:
    """The candidate's arm and the baseline's."""
    record = study.record
    b = record.arm(candidate) if candidate is not None else record.arms[-1]
    a = record.arm(baseline) if baseline is not None else baseline_of(study)
    if (a.version, a.endpoint) == (b.version, b.endpoint):
        if baseline is not None:
            raise StudyError(
                f"{b.label} cannot be compared with itself; name another arm of {study.name}: "
                f"{', '.join(record.labels)}."
            )
        a = arm_beside(study, b)
    return b, a


@sitting()
def compare_across(
    project: Project, candidate: object, baseline: object, primary: str | None
) -> Compared:
    """Two versions on the examples that both were asked: of the newest study that holds both, else
    of the latest study of each.

    Raises:
        StudyError: a version was never evaluated, both are the same, or nothing serves in prod and
            no baseline is named.
    """
    labels = versions_apart(project.registry, candidate, baseline)
    one, other = labels
    shared = newest_holding(project.store, [one, other])
    sources = latest_sources(project.store, labels, shared)
    where = {version: study for study, version, _ in sources}
    scorers = _scorers_of(project, [where[one], where[other]])
    chosen = [(where[v], v, labels[v]) for v in (one, other)]
    study = find_study(project, where[one])
    found = _read(study, chosen, scorers)
    return _compared(found, chosen, study, primary)


@sitting()
def leaderboard(study: RecordedStudy, primary: str | None) -> Ranking:
    """All arms of a study, best first."""
    return _ranked(study, study.record.sources(), study.record.scorers, primary)


@sitting()
def leaderboard_across(
    project: Project, versions: Sequence[object], primary: str | None
) -> Ranking:
    """Versions over their latest studies, best first. Raises StudyError for one never evaluated."""
    if not versions:
        raise StudyError("a leaderboard ranks versions, as in [v1, v2]; none was given.")
    labels = {content.id: label for content, _, _, label in map(as_version, versions)}
    sources = latest_sources(project.store, labels)
    scorers = _scorers_of(project, [study for study, _, _ in sources])
    return _ranked(find_study(project, sources[0][0]), sources, scorers, primary)


def _ranked(
    study: RecordedStudy,
    sources: Sequence[Source],
    scorers: Sequence[ScorerRef],
    primary: str | None,
) -> Ranking:
    from ..analysis.standings import leaderboard

    policy = study.project.registry.policy(study.prompt or None)
    arms = arms_of(study.project.store, sources, scorers)
    found = copies_in(study, arms, primary or policy.primary)
    board = leaderboard(
        [collapse(arm, found.copies) for arm in arms],
        primary=primary or policy.primary,
        clusters=found.clusters,
        ties=policy.ties,
        alpha=policy.alpha,
    )
    told = [*other_models(study.project.store, sources, scorers), *searched_notes(study, arms)]
    return replace(board, notes=(*_within_targets(arms), *told, *board.notes))


def _within_targets(arms: Sequence[Arm]) -> list[str]:
    """What to say where a target (a function in the model's place) gave the answers of some arms,
    and not those of the others.
    """
    names = [arm.label for arm in arms if "target" in (arm.facts.get("sources") or ())]
    if not names or len(names) == len(arms):
        return []
    return [
        f"The answers of {', '.join(names)} are those of a target, the others are the model's own:"
        " evaluate all of them in one study before you compare them."
    ]


def _with_earlier(
    study: RecordedStudy, own: Pair, name: str, grounds: ComparisonContext, weights: str | None
) -> tuple[Pair, ComparisonContext]:
    """Candidate and baseline with the answers of earlier studies, and the grounds of all these."""
    by = scorer_of(name, own, grounds.labels) or name
    store, tried = study.project.store, grounds.tried
    arms = pooled(store, study.record, study.dataset, own, by, tried, grounds.labels)
    grounds = pooled_grounds(study, grounds, arms, by, weights)
    told = pooled_note(own, arms, by)
    return arms, replace(grounds, planned=pooled_size(arms[0], by, grounds), pooled=told)


def _compared(
    arms: Sequence[Arm],
    sources: Sequence[Source],
    study: RecordedStudy,
    primary: str | None,
    weights: str | None = None,
) -> Compared:
    """The facts with the policy that applies. arms, sources: of the candidate and the baseline."""
    candidate, baseline = arms
    policy, ended = policy_for(study), early(study.project.store, study.id)
    weights = weights or policy.weights
    grounds = grounds_of(study, (candidate, baseline), primary, weights=weights)
    chosen: set[str] | None = None
    if ended is not None:
        ids = [example.id for example in study.dataset]
        chosen = set(order(study.id, ids)[: ended["examples"]])
        candidate, baseline = part(candidate, chosen), part(baseline, chosen)
        kept = {grounds.copies.get(example, example) for example in chosen}
        grounds = replace(grounds, planned=len(kept))
    name = primary or policy.primary or study.record.primary or None
    others, field = rival_arms(study, candidate.version, baseline.version)
    if looked_at(study.project.store, study.id):
        grounds = replace(grounds, looked=1 + len(others))
    if name is not None and study.record.rules >= 2:
        grounds = replace(grounds, tried=_tried(study, sources, name, field))
        if grounds.tried.times > 1 and study.record.find(baseline.version) is not None:
            both = (candidate, baseline)
            (candidate, baseline), grounds = _with_earlier(study, both, name, grounds, weights)
    grounds = replace(grounds, mixed=_mixed(study, sources[::-1], name, grounds))
    found = compare(
        candidate, baseline, grounds=grounds, primary=name, alpha=policy.alpha, ties=policy.ties
    )
    out = Compared(found, policy)
    if ended is not None:
        out.peeking = True
        out.early = (
            f"Ended early: the e-values settled it after {ended['examples']:,} of {ended['of']:,} "
            f"examples in a shuffled order, at look {ended['looks']};"
            f" {count(ended['saved'], 'answer')}"
            f" {'was' if ended['saved'] == 1 else 'were'} not needed."
        )
    if study.record.split == "test" and study.status == "finished":
        versions = (candidate.version, baseline.version)
        out.looked = lambda verdict: keep_verdict(study, *versions, verdict)
    if others:
        out.rivals = lambda: _rivals(study, others, baseline, found, chosen)
    return out


def _tried(
    study: RecordedStudy, sources: Sequence[Source], primary: str, field: Sequence[str]
) -> Tried:
    """What was judged before of the candidate and the baseline, in the studies of their answers."""
    (_, candidate, _), (beside, baseline, _) = sources
    store, pair = study.project.store, (candidate, baseline)
    return tried_before(store, study.record, pair, primary, field, baseline_study=beside)


def _mixed(
    study: RecordedStudy,
    sources: Sequence[Source],
    primary: str | None,
    grounds: ComparisonContext,
) -> tuple[str, ...]:
    """Sentences on answers and scores of more than one model: of these arms, and of the earlier
    studies whose answers are pooled.
    """
    studies = grounds.tried.earlier_studies
    earlier = [(id_, version, label) for id_ in studies for _, version, label in sources]
    store, scorers = study.project.store, study.record.scorers
    return tuple(other_models(store, sources, scorers, earlier, primary or ""))


def rival_arms(study: RecordedStudy, candidate: str, baseline: str) -> tuple[list[str], list[str]]:
    """(the candidates beside this one, the finalists of a plan that names it).

    Without such a plan every other arm of the study is a candidate.
    """
    plan = frozen_plan(study)
    finalists = list(plan[0].get("finalists") or []) if plan is not None else []
    named = finalists if candidate in finalists else []
    every = [arm.version for arm in study.record.arms] if study.record.rules >= 2 else []
    arms = named or every
    others = dict.fromkeys(version for version in arms if version not in (candidate, baseline))
    return list(others), named


def _rivals(
    study: RecordedStudy,
    versions: Sequence[str],
    baseline: Arm,
    found: ComparisonFacts,
    chosen: set[str] | None,
) -> list[ComparisonFacts]:
    """The other finalists against the same baseline.

    Raises:
        StudyError: one of them is not in the study.
    """
    arms = [(version, study.record.find(version)) for version in versions]
    missing = [version for version, arm in arms if arm is None]
    if missing:
        raise StudyError(
            f"the plan's finalist {missing[0][:11]} is not in the study {study.name}; evaluate all "
            "finalists together, they are judged together."
        )
    sources = study.record.sources([arm for _, arm in arms if arm is not None])
    with sitting():
        read = _read(study, sources, study.record.scorers)
    name = found.primary_name
    kept = read if chosen is None else [part(arm, chosen) for arm in read]
    out = []
    for arm in kept:
        tried = replace(found.grounds.tried, candidate=arm.version)
        grounds = replace(found.grounds, tried=tried)
        # An arm without a score is not a candidate.
        with suppress(StudyError):
            out.append(compare(arm, baseline, grounds=grounds, primary=name, ties=found.ties))
    return out


def _read(
    study: RecordedStudy, sources: Sequence[Source], scorers: Sequence[ScorerRef]
) -> list[Arm]:
    """The arms of some sources, with their answers as labels where the study's rows have them."""
    return labelled_arms(study.project.store, sources, scorers, labels_in(study))


def _scorers_of(project: Project, studies: Sequence[str]) -> list[ScorerRef]:
    """The scorers of several studies, each once, in order."""
    seen: dict[str, ScorerRef] = {}
    for study in dict.fromkeys(studies):
        for scorer in find_study(project, study).record.scorers:
            seen.setdefault(scorer.name, scorer)
    return list(seen.values())
