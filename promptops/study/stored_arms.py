"""Stored runs and scores as the arms of a comparison: joined, aggregated and sorted inside DuckDB,
handed over as columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.arms import MEASURES, Arm, Outcomes
from ..errors import StudyError
from .calibration import calibrated
from .queries.arm_rows import ArmRows, Columns, Source, repeats_of, versions_read
from .queries.studies import latest_study_of_each
from .study_record import ScorerRef

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["Source", "arms_of", "latest_sources"]


def arms_of(store: Store, sources: Sequence[Source], scorers: Sequence[ScorerRef]) -> list[Arm]:
    """One Arm per source, in order. scorers: in the study's order; their versions only.

    Examples are paired by id where the content is equal in all arms; an id with other content in
    another arm is a separate example.
    """
    known = {scorer.name: scorer for scorer in scorers}
    repeats = repeats_of(store, sources)
    scorer_versions = [{name: scorer.version for name, scorer in known.items()}] * len(sources)
    read = ArmRows(store, sources, repeats)
    found = read.examples(scorer_versions) if known else None
    if found is None or any(
        part[f"n{place}"].sum() == 0 for part in found for place in range(len(known))
    ):
        scorer_versions = versions_read(store, sources, known)
        found = read.examples(scorer_versions)
    odd = _odd(found)
    facts = read.facts()
    known = {
        name: _measured(store, scorer, scorer_versions[0].get(name))
        for name, scorer in known.items()
    }
    return [
        _arm(source, found[place], scorer_versions[place], facts[place], known, odd)
        for place, source in enumerate(sources)
    ]


def _measured(store: Store, scorer: ScorerRef, scorer_version: str | None) -> ScorerRef:
    """A judge with whether people's labels of the answers it judged calibrate it; any other scorer
    as it is.
    """
    if scorer.kind != "judge" or scorer.calibrated is not None or scorer_version is None:
        return scorer
    return replace(scorer, calibrated=calibrated(store, scorer.name, scorer_version))


def _odd(frames: Sequence[Columns]) -> set[str]:
    """Example ids whose content differs between the arms."""
    first = frames[0]
    if all(
        len(frame["print"]) == len(first["print"]) and (frame["print"] == first["print"]).all()
        for frame in frames[1:]
    ):
        return set()  # the usual case, and a million runs are common
    prints: dict[str, set[int]] = {}
    for frame in frames:
        for example, fingerprint in zip(frame["example_id"], frame["print"], strict=True):
            prints.setdefault(example, set()).add(fingerprint)
    return {example for example, found in prints.items() if len(found) > 1}


def _arm(
    source: Source,
    frame: Columns,
    scorer_version: Mapping[str, str],
    facts: dict[str, object],
    known: Mapping[str, ScorerRef],
    odd: set[str],
) -> Arm:
    _, version, label = source
    names: list[str] = frame["example_id"].tolist()
    if odd:
        names = [
            f"{name}@{int(fingerprint):016x}"[: len(name) + 9] if name in odd else name
            for name, fingerprint in zip(names, frame["print"], strict=True)
        ]
    attempted = frame["attempted"].astype(float)
    scores = {
        name: _outcomes(frame, str(place), names, attempted, known.get(name), scorer_version[name])
        for place, name in enumerate(scorer_version)
    }
    measures = {name: _measure(frame, name, names, attempted) for name in MEASURES}
    return Arm(
        version,
        label,
        scores,
        {name: outcomes for name, outcomes in measures.items() if outcomes.scored.sum()},
        facts,
    )


def _outcomes(
    frame: Columns,
    place: str,
    names: Sequence[str],
    attempted: Any,
    scorer: ScorerRef | None,
    scorer_version: str,
) -> Outcomes:
    scored = frame[f"n{place}"].astype(float)
    binary = frame[f"b{place}"][scored > 0]
    return Outcomes(
        names,
        frame[f"m{place}"].astype(float),
        scored,
        attempted,
        frame[f"v{place}"].astype(float),
        bool(len(binary)) and bool(binary.astype(bool).all()),
        scorer.kind if scorer is not None else "assertion",
        (scorer_version,),
        scorer.calibrated if scorer is not None else None,
    )


def _measure(frame: Columns, name: str, names: Sequence[str], attempted: Any) -> Outcomes:
    import numpy as np

    mean = frame[f"m{name}"].astype(float)
    return Outcomes(
        names,
        mean,
        frame[f"n{name}"].astype(float),
        attempted,
        np.full(len(names), np.nan),
        kind="measure",
    )


def latest_sources(
    store: Store, versions: Mapping[str, str], study: str | None = None
) -> list[Source]:
    """For each version id -> label, its most recent study (or the one named)."""
    found = latest_study_of_each(store, list(versions), study)
    for version, label in versions.items():
        if version not in found:
            raise StudyError(
                f"{label} was never evaluated{' in this study' if study else ''}; call"
                " lab.evaluate([...], dataset, scorers=[...]) with it first."
            )
    return [(found[version], version, label) for version, label in versions.items()]
