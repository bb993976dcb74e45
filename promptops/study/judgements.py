"""What was tried before, derived from the studies that exist: looked at or not, imported or asked.

Nothing is written for it. The same runs seen again, by Run All or on a pushed branch, count
nothing; a store that was deleted cannot be counted. Counting begins with this release: studies that
release 0.1 recorded keep their verdicts and are not counted against later ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.arms import Arm, Outcomes
from ..analysis.compare import ComparisonContext
from ..analysis.tried import Judgement, Tried
from .queries.judgements import pooled_outcomes, studies_beside

if TYPE_CHECKING:
    from ..dataset.dataset import Dataset
    from ..store import Store
    from .study_record import StudyRecord

__all__ = ["pooled", "pooled_size", "tried_before"]


def tried_before(
    store: Store,
    record: StudyRecord,
    pair: tuple[str, str],
    primary: str,
    field: Sequence[str] = (),
) -> Tried:
    """What was judged on examples that overlap a study's, up to this study.

    Args:
        store: the store that is looked through.
        record: of the study at hand.
        pair: ids of the candidate at hand and of the version that it is compared with.
        primary: the scorer that decides.
        field: the finalists of a plan that names the candidate; empty where all arms of the study
            are candidates.
    """
    candidate, baseline = pair
    other = (record.named or primary) != primary
    rows = [
        row
        for row in studies_beside(store, record.id, baseline, alone=other)
        if "primary" in json.loads(row[1])
    ]
    order = {id_: place for place, id_ in enumerate(dict.fromkeys(row[0] for row in rows))}
    digests = {(row[0], row[2]): int(row[4] or 0) for row in rows}
    found = []
    for id_, design, version, n, digest in rows:
        if version == baseline or (id_ == record.id and field and version not in field):
            continue
        both = f"{digest ^ digests[id_, baseline]:016x}"
        recorded = _recorded_primary(json.loads(design))
        found.append(Judgement(id_, order[id_], version, n, both, recorded))
        chosen = _named(record, primary)
        if id_ == record.id and version == candidate and chosen != recorded:
            found.append(Judgement(id_, order[id_], version, n, both, chosen))
    return Tried(tuple(found), candidate)


def pooled(
    store: Store,
    record: StudyRecord,
    dataset: Dataset,
    pair: tuple[Arm, Arm],
    primary: str,
    tried: Tried,
) -> tuple[Arm, Arm]:
    """Both arms with every answer that the pair ever gave to these examples, as repeats of the
    primary; examples of earlier studies that this one left out come back in.

    Args:
        store: the store that holds the earlier answers.
        record: of the study at hand.
        dataset: its examples, by whose ids the answers are gathered.
        pair: the arms of the candidate and of the baseline.
        primary: the scorer that decides.
        tried: what was judged before; the studies that judged the candidate are pooled.

    Returns:
        The candidate and the baseline, in that order.
    """
    candidate, baseline = pair
    studies = [j.study for j in tried.judgements if j.candidate == candidate.version]
    ref = next((ref for ref in record.scorers if ref.name == primary), None)
    if ref is None or primary not in candidate.scores:
        return candidate, baseline
    versions = [candidate.version, baseline.version]
    rows = pooled_outcomes(store, (ref.name, ref.version), studies, versions)
    ids = {example.fingerprint: example.id for example in reversed(list(dataset))}
    found: dict[str, dict[str, list[float | None]]] = {version: {} for version in versions}
    for version, print_, _, outcome in rows:
        name = ids.get(print_, f"earlier example {print_[:12]}")
        found[version].setdefault(name, []).append(outcome)
    out = []
    for arm in (candidate, baseline):
        old = arm.scores[primary]
        new = Outcomes.of(found[arm.version], kind=old.kind, versions=old.versions)
        new = replace(new, calibrated=old.calibrated)
        out.append(replace(arm, scores={**arm.scores, primary: new}))
    return out[0], out[1]


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
