"""What was tried before, derived from the studies that exist: looked at or not, imported or asked.

Nothing is written for it. The same runs seen again, by Run All or on a pushed branch, count
nothing; a store that was deleted cannot be counted. Counting begins with this release: studies that
release 0.1 recorded keep their verdicts and are not counted against later ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any

from ..analysis.arms import Arm, Outcomes
from ..analysis.compare import ComparisonContext
from ..analysis.tried import Tried, TriedCandidate
from .example_forms import judged_on_less, superseded
from .golden_labels import labelled
from .like_data import perhaps_like_data, places_read, studies_of_like_data
from .queries.answer_texts import outputs_of
from .queries.judged_before import (
    digest_of,
    pooled_outcomes,
    studies_alone,
    studies_alone_of_these,
    studies_asking_these,
    studies_beside,
    studies_holding,
)
from .searched_rows import searched_prints

if TYPE_CHECKING:
    from ..analysis.classes import GoldenLabels
    from ..dataset import Example
    from ..dataset.dataset import Dataset
    from ..store import Store
    from .study_record import StudyRecord

__all__ = ["Ahead", "pooled", "pooled_note", "pooled_size", "tried_ahead", "tried_before"]

Row = tuple[str, str, str, int, int]  # study, design, version, examples, digest of its runs


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a study will ask. examples: those of its dataset; keys: version -> reuse keys of the
    questions to it; field: ids of its candidates; runs: version -> its answers, of versions that
    have all of them.
    """

    examples: Sequence[Example]
    keys: Mapping[str, Sequence[str]] = dataclass_field(default_factory=dict)
    field: Sequence[str] = ()
    runs: Mapping[str, Sequence[str]] = dataclass_field(default_factory=dict)

    @property
    def prints(self) -> list[str]:
        """The fingerprints of its examples."""
        return [example.fingerprint for example in self.examples]


def tried_before(
    store: Store,
    record: StudyRecord,
    pair: tuple[str, str],
    primary: str,
    field: Sequence[str] = (),
    *,
    baseline_study: str | None = None,
) -> Tried:
    """What was judged on examples that overlap a study's, up to this study.

    Args:
        store: the store that is looked through.
        record: of the study at hand.
        pair: ids of the candidate at hand and of the version that it is compared with.
        primary: the scorer that decides.
        field: the finalists of a plan that names the candidate; empty if all arms of the study
            are candidates.
        baseline_study: id of the study that holds the baseline's answers; None for this one.
    """
    candidate, baseline = pair
    other = (record.named or primary) != primary
    like, same = studies_of_like_data(store, record.dataset.fingerprint, pair)
    rows = [
        row
        for row in studies_beside(store, record.id, baseline, like, alone=other)
        if "primary" in json.loads(row[1])
    ]
    found = []
    for row in _judged(rows, baseline):
        if row.study == record.id and field and row.candidate not in field:
            continue
        found.append(row)
        chosen = _named(record, primary)
        if row.study == record.id and row.candidate == candidate and chosen != row.primary:
            found.append(replace(row, primary=chosen))
    family = [*like, *same] if like else []
    beside, back = baseline_study or record.id, (baseline, candidate)
    looks = [
        *studies_alone(store, record.id, pair, family),
        *studies_alone(store, beside, back, family, after=True),
    ]
    alone = _looks_alone(candidate, looks, rows, found)
    if record.find(baseline) is None:  # its answers are those of another study
        order, named = len({row[0] for row in rows}), _named(record, primary)
        found.append(
            TriedCandidate(record.id, order, candidate, record.dataset.n, "at hand", named)
        )
    apart = perhaps_like_data(store, record.dataset.fingerprint, pair)
    return _tried((*alone, *judged_on_less(store, found)), candidate, apart)


def _tried(judged: Sequence[TriedCandidate], candidate: str, apart: Sequence[str]) -> Tried:
    """What was tried. apart: the studies whose answers are not pooled with those at hand."""
    return Tried(tuple(replace(row, apart=row.study in apart) for row in judged), candidate)


def _looks_alone(
    candidate: str,
    alone: Sequence[Row],
    rows: Sequence[Row],
    found: Sequence[TriedCandidate],
) -> list[TriedCandidate]:
    """Judgements of the candidate that were possible without a study of both: of one of the two
    alone, beside answers of the other that were there, by other answers than those that a study of
    both has. alone: of the studies of one alone; rows, found: of the studies of both.
    """
    own = [row.order for row in found if row.candidate == candidate]
    both = {row[0] for row in rows if row[2] == candidate}
    known = {(row[2], int(row[4] or 0)) for row in rows if row[0] in both}
    looks = [
        row
        for row in alone
        if "primary" in json.loads(row[1]) and (row[2], int(row[4] or 0)) not in known
    ]
    order = min(own, default=0)
    return [
        TriedCandidate(
            id_,
            order,
            candidate,
            n,
            f"{int(digest or 0):016x}",
            _recorded_primary(json.loads(design)),
        )
        for id_, design, _, n, digest in looks
    ]


def tried_ahead(
    store: Store,
    record: StudyRecord,
    pair: tuple[str, str],
    primary: str,
    asked: Ahead,
) -> Tried:
    """What `tried_before` will say of a study that is not recorded yet.

    Args:
        store: the store that is looked through.
        record: of the study as it is designed.
        pair: ids of the candidate and of the version that it is compared with.
        primary: the scorer that decides.
        asked: what the study asks.
    """
    candidate, baseline = pair
    asks, prints = asked.keys.get(baseline, ()), asked.prints
    like, same = studies_of_like_data(store, record.dataset.fingerprint, pair, asked.examples)
    rows = [
        row
        for row in studies_asking_these(store, baseline, asks, prints, like)
        if "primary" in json.loads(row[1])
    ]
    if any(row[0] == record.id for row in rows):
        return tried_before(store, record, pair, primary, asked.field)
    found, order = _judged(rows, baseline), len({row[0] for row in rows})
    for version in asked.field or (candidate,):
        both = [asked.runs.get(arm) for arm in (version, baseline)]
        digest = "ahead"
        if both[0] and both[1]:  # every answer is there: the same runs are the same judgement
            digest = f"{digest_of(store, both[0]) ^ digest_of(store, both[1]):016x}"
        named = _named(record, primary)
        found.append(TriedCandidate("ahead", order, version, len(prints), digest, named))
    looks, family = list[Row](), [*like, *same] if like else []
    for one, other in ((candidate, baseline), (baseline, candidate)):
        asks, runs, after = asked.keys.get(one, ()), asked.runs.get(one, ()), one == baseline
        looks += studies_alone_of_these(
            store, (one, other), asks, prints, runs, family, after=after
        )
    apart = perhaps_like_data(store, record.dataset.fingerprint, pair, asked.examples)
    more = len(set(prints)) - len(set(asked.runs.get(candidate, ())))
    known = judged_on_less(store, found, (len(prints), more))
    return _tried((*_looks_alone(candidate, looks, rows, found), *known), candidate, apart)


def _judged(rows: Sequence[Row], baseline: str) -> list[TriedCandidate]:
    """A judgement of every version but the baseline, of rows that studies have."""
    order = {id_: place for place, id_ in enumerate(dict.fromkeys(row[0] for row in rows))}
    digests = {(row[0], row[2]): int(row[4] or 0) for row in rows}
    return [
        TriedCandidate(
            id_,
            order[id_],
            version,
            n,
            f"{int(digest or 0) ^ digests.get((id_, baseline), 0):016x}",
            _recorded_primary(json.loads(design)),
        )
        for id_, design, version, n, digest in rows
        if version != baseline
    ]


def pooled(
    store: Store,
    record: StudyRecord,
    dataset: Dataset,
    pair: tuple[Arm, Arm],
    primary: str,
    tried: Tried,
    labels: GoldenLabels | None,
) -> tuple[Arm, Arm]:
    """Both arms with every answer that the pair ever gave to these examples, as repeats of the
    primary; examples of earlier studies that this one left out come back in, but for those on
    which a search chose the candidate. Answers of another endpoint count as judgements, and are
    not pooled; nor are those to examples that may be others. An answer counts for the newest form
    of its example alone: what an earlier study held it against, such as a golden answer that was
    corrected since, is not a further example.

    Args:
        store: the store that holds the earlier answers.
        record: of the study at hand.
        dataset: its examples, by whose ids the answers are gathered.
        pair: the arms of the candidate and of the baseline.
        primary: the scorer that decides, or that the measure which decides is made of.
        tried: what was judged before; the studies that judged the candidate are pooled.
        labels: the golden labels, by which earlier answers are read too; None if there are none.

    Returns:
        The candidate and the baseline, in that order.
    """
    candidate, baseline = pair
    judged = [j.study for j in tried.judgements if j.candidate == candidate.version]
    both = studies_holding(store, baseline.version, judged)
    both &= studies_holding(store, candidate.version, judged)
    versions = [candidate.version, baseline.version]
    apart = perhaps_like_data(store, record.dataset.fingerprint, versions)
    studies = [study for study in judged if study in both and study not in apart]
    ref = next((ref for ref in record.scorers if ref.name == primary), None)
    if ref is None or primary not in candidate.scores:
        return candidate, baseline
    reads = places_read(store, versions)
    rows = pooled_outcomes(store, (ref.name, ref.version), studies, reads, record.id)
    ids = {example.fingerprint: example.id for example in reversed(list(dataset))}
    outputs = outputs_of(store, [row[2] for row in rows]) if labels is not None else {}
    found: dict[str, dict[str, list[float | None]]] = {version: {} for version in versions}
    texts: dict[str, list[tuple[str, str | None]]] = {version: [] for version in versions}
    left = {row[1] for row in rows} - ids.keys()
    searched = left & searched_prints(store, versions) if left else set()
    asked = {(row[0], row[1], row[4]) for row in rows}
    left_out = searched | superseded(store, studies, versions, asked, left)
    for version, fingerprint, run, outcome, _ in rows:
        if fingerprint in left_out:
            continue
        name = ids.get(fingerprint, earlier_name(fingerprint))
        found[version].setdefault(name, []).append(outcome)
        if run in outputs:
            texts[version].append((name, outputs[run]))
    out = []
    for arm in (candidate, baseline):
        old = arm.scores[primary]
        new = Outcomes.of(found[arm.version], kind=old.kind, versions=old.versions)
        new = replace(new, calibrated=old.calibrated)
        every = replace(arm, scores={**arm.scores, primary: new})
        out.append(every if labels is None else labelled(every, texts[arm.version], labels))
    return out[0], out[1]


def pooled_note(own: Sequence[Arm], both: Sequence[Arm], primary: str) -> str:
    """What a reader of a pooled figure should know: that this study's answers are a part of it; ""
    if they are all of it.

    Args:
        own: the arms with the answers of the study at hand.
        both: the same arms with all answers.
        primary: the scorer that decides.
    """
    held = [[arm.scores.get(primary) for arm in arms] for arms in (own, both)]
    mine, every = (sum(int(each.scored.sum()) for each in arms if each) for arms in held)
    if mine >= every:
        return ""
    return (
        f"The figures on {primary} are over all {every:,} answers that the two gave in the studies"
        f" that judged them; {mine:,} are of this study (study.scores())."
    )


def earlier_name(fingerprint: str) -> str:
    """By which name an example of an earlier study is pooled that the study at hand left out."""
    return f"earlier example {fingerprint[:12]}"


def pooled_size(arm: Arm, primary: str, grounds: ComparisonContext) -> int | None:
    """How many distinct examples a pooled comparison is planned on."""
    if primary not in arm.scores:
        return grounds.planned
    names = {grounds.copies.get(example, example) for example in arm.scores[primary].examples}
    return max(len(names), grounds.planned or 0)


def _recorded_primary(design: Mapping[str, Any]) -> str:
    """The primary that a study was made with: name and version."""
    versions = {str(ref["name"]): str(ref["version"]) for ref in design["scorers"]}
    name = str(design["primary"])
    return f"{name}@{versions.get(name, '1')}"


def _named(record: StudyRecord, primary: str) -> str:
    """Name and version of a study's scorer."""
    version = next((ref.version for ref in record.scorers if ref.name == primary), "1")
    return f"{primary}@{version}"
