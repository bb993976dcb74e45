"""Under which discipline a study's examples were chosen: its plan, its policy, its split's wear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.answer_noise import NoiseFloor
from ..analysis.arms import Arm
from ..analysis.classes import GoldenLabels
from ..analysis.compare import ComparisonContext
from ..dataset import Dataset, Example
from ..errors import NothingToCompare, StudyError
from ..policy import Policy
from .clusters_before import clusters_before
from .copies import Copies, copies_of, golden_reads, reads_of
from .departures import departures
from .golden_labels import golden_labels, with_labels
from .judgements import earlier_name
from .like_data import ExampleContents
from .noise_floor import measured
from .queries.golden_before import scored_against_others
from .queries.plans import plan_document
from .recorded_study import RecordedStudy, find_study
from .records import load_version
from .searched_rows import Asked, searched_statement
from .shown_examples import shown_statement
from .split_wear import times_used
from .weights import weight_column, weights_of

if TYPE_CHECKING:
    from .study_record import ArmRecord

__all__ = [
    "arm_beside",
    "baseline_of",
    "copies_in",
    "frozen_plan",
    "grounds_of",
    "labels_in",
    "policy_for",
    "pooled_grounds",
    "searched_notes",
]


def frozen_plan(study: RecordedStudy) -> tuple[dict[str, Any], str] | None:
    """(document, when it was frozen) of the plan that a study was evaluated with."""
    plan = study.record.plan
    return plan_document(study.project.store, plan) if plan else None


def policy_for(study: RecordedStudy) -> Policy:
    """The policy that a study is judged by: its plan's, else the registry's."""
    plan = frozen_plan(study)
    if plan is not None:
        return Policy.from_document(plan[0]["policy"])
    return study.project.registry.policy(study.prompt or None)


def baseline_of(study: RecordedStudy) -> ArmRecord:
    """The arm that the others are compared with: what serves in prod, else the first."""
    # A study of outputs made elsewhere may name a prompt that nobody saved.
    registry = study.project.registry
    known = study.prompt in registry.names()
    serving = registry.serving(study.prompt, "prod") if known else None
    found = study.record.find(serving.id) if serving is not None else None
    return found or study.record.arms[0]


def arm_beside(study: RecordedStudy, arm: ArmRecord) -> ArmRecord:
    """The first arm of another version. Raises NothingToCompare if the study has none."""
    found = next((each for each in study.record.arms if each.version != arm.version), None)
    if found is None:
        raise NothingToCompare(
            f"the study {study.name} has one version, {arm.label}, so that nothing is compared;"
            " evaluate two versions together."
        )
    return found


def grounds_of(
    study: RecordedStudy,
    arms: Sequence[Arm] | None,
    primary: str | None = None,
    *,
    weights: str | None = None,
) -> ComparisonContext:
    """Where a study's examples come from, and under which discipline they were chosen.

    Args:
        study: the study whose examples are judged.
        arms: candidate and baseline as they were read, or the one arm of a first deployment.
        primary: the scorer that decides; None: the study's first.
        weights: None (copies count once), "rows" (the means weigh an example by its copies) or a
            column of numbers.

    Raises:
        StudyError: `weights` is not such a column.
    """
    data, record = study.dataset, study.record
    both = (arms[0], arms[1]) if arms is not None and len(arms) == 2 else None
    pair = (both[0].version, both[1].version) if both else (None, None)
    plan = _plan_of(study, both, primary)
    column = weight_column(weights, _inputs(data))
    found = copies_in(study, arms, primary, besides=column).weighted(weights)
    decides = primary or policy_for(study).primary or record.primary
    noise = _noise(study, both, decides, found.copies) if both and decides else None
    return ComparisonContext(
        prompt=study.prompt,
        study=study.id,
        dataset=data.name,
        fingerprint=data.fingerprint,
        planned=found.distinct,
        clusters=found.clusters,
        tags=data.tags,
        split=record.split,
        tested=bool(plan and plan["followed"]),
        served=times_used(study.project.store, data.fingerprint, record.split, *pair),
        plan=plan,
        noise=noise,
        copies=found.copies,
        contradictory=found.contradictory,
        labels=labels_in(study),
        rules=record.rules,
        weights=weights_of(data, column, found.copies) if column else None,
        weighed_by=column or "",
        clustered_by=found.clustered_by,
        relabelled=_relabelled(study, arms or (), decides or ""),
        shown=_shown(study, arms or ()),
        searched=_searched(study, arms or (), data),
    )


def _shown(study: RecordedStudy, arms: Sequence[Arm]) -> tuple[str, ...]:
    """Sentences on the examples that the prompts of these arms show with their answers."""
    store, data = study.project.store, study.dataset
    read = [(arm, load_version(store, arm.version)) for arm in arms]
    found = (shown_statement(arm.label, each, data) for arm, each in read if each is not None)
    return tuple(filter(None, found))


def _searched(
    study: RecordedStudy,
    arms: Sequence[Arm],
    examples: Iterable[Example],
    seen: Asked | None = None,
) -> str:
    """What a search saw of the examples that judge its choice, the first of the arms."""
    if not arms:
        return ""
    pair = [arm.version for arm in arms]
    return searched_statement(study.project.store, pair, arms[0].label, examples, seen)


def searched_notes(study: RecordedStudy, arms: Sequence[Arm]) -> list[str]:
    """What searches saw of a study's examples that made or chose one of its arms."""
    seen: Asked = {}
    found = [_searched(study, [arm], study.dataset, seen) for arm in arms]
    return list(filter(None, found))


def _relabelled(
    study: RecordedStudy, arms: Sequence[Arm], primary: str
) -> tuple[tuple[str, int, int], ...]:
    """What golden answers that were changed since the answers did to the outcomes of each arm."""
    scorer = next((ref for ref in study.record.scorers if ref.name == primary), None)
    if scorer is None:
        return ()
    versions, own = [arm.version for arm in arms], (scorer.name, scorer.version)
    rows = scored_against_others(study.project.store, study.id, versions, own)
    more = Counter(version for version, _, now, before in rows if now > before)
    less = Counter(version for version, _, now, before in rows if now < before)
    return tuple((arm.label, more[arm.version], less[arm.version]) for arm in arms if rows)


def labels_in(study: RecordedStudy) -> GoldenLabels | None:
    """The golden labels of a study's examples, where they are few."""
    return golden_labels(study.dataset, study.project.store)


def copies_in(
    study: RecordedStudy,
    arms: Sequence[Arm] | None = None,
    primary: str | None = None,
    *,
    earlier: Sequence[Example] = (),
    alike: Sequence[tuple[str, str]] = (),
    besides: str | None = None,
) -> Copies:
    """Which of a study's examples are copies of others, for the arms that are compared.

    Args:
        study: the study whose examples are judged.
        arms: the arms as they were read; None: all arms of the study.
        primary: the scorer that decides; None: the study's first.
        earlier: examples of other studies that are judged with them.
        alike: pairs of ids of near-copies among all of them.
        besides: a column of weights, which is not an input.
    """
    store, record = study.project.store, study.record
    read = study.arms() if arms is None else arms
    reads = []
    for arm in read:
        elsewhere = {"target", "imported"} & set(arm.facts.get("sources") or ())
        version = None if elsewhere else load_version(store, arm.version)
        reads.append(reads_of(version, besides))
    name = primary or record.primary
    needs = next((ref.needs for ref in record.scorers if ref.name == name), ())
    examples, versions = [*study.dataset, *earlier], [arm.version for arm in read]
    before = clusters_before(store, record, versions, examples)
    found = copies_of(examples, reads, golden_reads(needs), [*alike, *before.pairs])
    return replace(found, clustered_by=before.studies)


def pooled_grounds(
    study: RecordedStudy,
    grounds: ComparisonContext,
    arms: Sequence[Arm],
    primary: str,
    weights: str | None = None,
) -> ComparisonContext:
    """The grounds once answers of earlier studies are pooled: the examples that only those asked
    are grouped with this study's, so that a row with another space in it does not add evidence.

    Args:
        study: the study at hand.
        grounds: of its own examples.
        arms: candidate and baseline as they were pooled.
        primary: the scorer that decides.
        weights: as in `grounds_of`.
    """
    judged = [row.study for row in grounds.tried.judgements if row.study != study.id]
    scored = [arm.scores[primary] for arm in arms if primary in arm.scores]
    wanted = {name for outcomes in scored for name in outcomes.examples}
    earlier, alike = _earlier_examples(study, judged, wanted)
    if not earlier:
        return replace(grounds, noise=_noise(study, arms, primary, grounds.copies))
    column, more = grounds.weighed_by, list(earlier.values())
    near = copies_in(study, arms, primary, earlier=more, alike=alike, besides=column or None)
    found = near.weighted(weights)
    tags = {**grounds.tags, **{name: example.tags for name, example in earlier.items()}}
    noise = _noise(study, arms, primary, found.copies)
    labels = with_labels(grounds.labels, earlier)
    out = replace(grounds, copies=found.copies, clusters=found.clusters, tags=tags, noise=noise)
    searched = _searched(study, arms, [*study.dataset, *more])
    out = replace(out, labels=labels, searched=searched, contradictory=found.contradictory)
    if not column:
        return out
    return replace(out, weights=weights_of([*study.dataset, *more], column, found.copies))


def _earlier_examples(
    study: RecordedStudy, judged: Sequence[str], wanted: Collection[str]
) -> tuple[dict[str, Example], list[tuple[str, str]]]:
    """Of the examples that only earlier studies asked, by the name that each is pooled by: those
    that are wanted, and pairs of this study's ids and the names of the same example there.
    """
    earlier: dict[str, Example] = {}
    alike = list[tuple[str, str]]()
    own = ExampleContents.of(study.dataset) if judged else ExampleContents()
    ids = {example.fingerprint: example.id for example in study.dataset}
    for id_ in dict.fromkeys(judged):
        with suppress(StudyError):  # its dataset was purged: its examples stay on their own
            data = find_study(study.project, id_).dataset
            named = {earlier_name(each.fingerprint): each for each in data}
            fresh = {name: each for name, each in named.items() if name in wanted}
            earlier |= {name: replace(each, id=name) for name, each in fresh.items()}
            pairs = own.matches(ExampleContents.of(fresh.values()))
            alike += [(ids[one], earlier_name(two)) for one, two in pairs]
    return earlier, alike


def _noise(
    study: RecordedStudy, arms: Sequence[Arm], primary: str, copies: Mapping[str, str]
) -> NoiseFloor | None:
    """The noise floor of the repeats that these arms hold."""
    dataset = study.record.dataset.fingerprint
    return measured(study.project.store, (arms[0], arms[1]), dataset, primary, copies)


def _inputs(data: Dataset) -> set[str]:
    """Names of the columns that a row may hold a weight in."""
    return {name for example in data for name in example.inputs}


def _plan_of(
    study: RecordedStudy, arms: tuple[Arm, Arm] | None, primary: str | None
) -> dict[str, object] | None:
    """What a comparison says of its plan: id, when it was frozen, whether it was followed."""
    plan = frozen_plan(study)
    if plan is None:
        return None
    document, frozen = plan
    chosen = primary or document["policy"].get("primary") or study.record.primary
    went = departures(document, frozen, study.record, arms, chosen) if arms else ()
    return {
        "id": study.record.plan,
        "frozen": frozen,
        "followed": not went,
        "departures": list(went),
    }
