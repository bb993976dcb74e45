"""Stored runs and scores as the arms of a comparison: joined, aggregated and sorted inside DuckDB,
handed over as columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis.arms import MEASURES, Arm, Outcomes
from ..errors import StudyError
from ..run import FAILURES
from .calibration import calibrated
from .queries.studies import latest_study_of_each
from .study_record import ScorerRef

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..store import Store

__all__ = ["Source", "arms_of", "latest_sources"]

# (study id, version id, label): where an arm's runs are
Source = tuple[str, str, str]

Columns = dict[str, "NDArray[Any]"]

_ARMS = (
    "arms as (select unnest($studies) as study_id, unnest($versions) as version_id,"
    " unnest($numbers)::int as arm)"
)
_LINKED = """select a.arm, m.example_id, m.example_fingerprint as print, m.repeat, m.run_id
  from study_runs m join arms a on m.study_id = a.study_id and m.version_id = a.version_id"""
# One row per place: its answered run where there is one, else its last failed one; one that was
# asked here before one that came in with a file.
_LATEST = f"""select l.arm, l.example_id, l.print, l.repeat,
         arg_max(r.id, (r.failure is null or r.failure in (select unnest($outcomes)),
           r.imported_from is null, r.started_at)) as run_id
  from ({_LINKED}) l join runs r on r.id = l.run_id group by all"""
_OUTCOME = "case when s{0}.passed is null then s{0}.value else s{0}.passed::double end"
_SCORE = (
    "left join scores s{0} on s{0}.run_id = p.run_id and s{0}.example_fingerprint = p.print and"
    " s{0}.scorer = $name{0} and s{0}.scorer_version = $scorer_version{0}"
)
_MEASURED = (
    ("cost", "r.cost_usd"),
    ("latency", "r.latency_ms"),
    ("tokens", "(r.tokens_in + r.tokens_out)::double"),
)
_FACTS = """min(r.started_at), max(r.started_at), list(distinct r.system_fingerprint), list(distinct r.model_returned), list(distinct r.model),
       list(distinct r.endpoint), sum(r.cost_usd), count(*) - count(r.cost_usd), quantile_cont(r.latency_ms, [.5, .95]), sum(r.tokens_in),
       sum(r.tokens_out), count(r.failure), histogram(r.failure), list(distinct r.role),
       count(r.imported_from), list(distinct r.imported_from)"""


def arms_of(store: Store, sources: Sequence[Source], scorers: Sequence[ScorerRef]) -> list[Arm]:
    """One Arm per source, in order. scorers: in the study's order; their versions only.

    Examples are paired by id where the content is equal in all arms; an id with other content in
    another arm is a separate example.
    """
    known = {scorer.name: scorer for scorer in scorers}
    repeats = _repeats(store, sources)
    scorer_versions = [{name: scorer.version for name, scorer in known.items()}] * len(sources)
    read = _Reading(store, sources, repeats)
    found = read.examples(scorer_versions) if known else None
    if found is None or any(
        part[f"n{place}"].sum() == 0 for part in found for place in range(len(known))
    ):
        scorer_versions = _scorer_versions(store, sources, known)
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


def _repeats(store: Store, sources: Sequence[Source]) -> int:
    """K: the most repeats of any place. Raises StudyError for a source without runs."""
    rows = store.rows(
        f"with {_ARMS} select a.arm, max(m.repeat) from study_runs m join arms a on m.study_id ="
        " a.study_id and m.version_id = a.version_id group by a.arm",
        _values(sources),
    )
    found = {int(arm): int(repeat) for arm, repeat in rows}
    for place, (_, _, label) in enumerate(sources):
        if place not in found:
            raise StudyError(f"{label} has no runs in this study; evaluate it first.")
    return max(found.values()) + 1


def _values(sources: Sequence[Source]) -> dict[str, Any]:
    return {
        "studies": [study for study, _, _ in sources],
        "versions": [version for _, version, _ in sources],
        "numbers": list(range(len(sources))),
    }


class _Reading:
    """The places of some sources. A place that was asked again after a failure has several runs:
    the one that counts is looked for only where that happened, since it takes as long as all the
    rest.
    """

    def __init__(self, store: Store, sources: Sequence[Source], repeats: int) -> None:
        self._store, self._sources, self._repeats = store, sources, repeats
        self._again = False

    def examples(self, scorer_versions: Sequence[Mapping[str, str]]) -> list[Columns]:
        """Columns of each source, a row per example by id: print (a number that means its
        content), attempted, and per measure and scorer mean, count, variance, binary.
        """
        frames: dict[int, Columns] = {}
        alike: dict[tuple[tuple[str, str], ...], list[int]] = {}
        for place, scorer_version in enumerate(scorer_versions):
            alike.setdefault(tuple(scorer_version.items()), []).append(place)
        for chosen, places in alike.items():
            whole = self._asked(dict(chosen), places)
            starts = [*whole["arm"].searchsorted(places, side="left").tolist(), len(whole["arm"])]
            for place, start, end in zip(places, starts[:-1], starts[1:], strict=True):
                frames[place] = {name: column[start:end] for name, column in whole.items()}
        return [frames[place] for place in range(len(scorer_versions))]

    def _asked(self, scorer_version: Mapping[str, str], places: Sequence[int]) -> Columns:
        frame = self._ask(scorer_version, places)
        if not self._again and self._doubled(frame):
            self._again = True
            frame = self._ask(scorer_version, places)
        return frame

    def _doubled(self, frame: Columns) -> bool:
        """Whether a place has more than one run."""
        if self._repeats > 1:
            return bool((frame["attempted"] > self._repeats).any())
        ids, arms = frame["example_id"], frame["arm"]
        return bool(((ids[1:] == ids[:-1]) & (arms[1:] == arms[:-1])).any())

    def _ask(self, scorer_version: Mapping[str, str], places: Sequence[int]) -> Columns:
        values = _values(self._sources)
        chosen: dict[str, Any] = {
            name: [column[place] for place in places] for name, column in values.items()
        }
        for place, (name, version) in enumerate(scorer_version.items()):
            chosen |= {f"name{place}": name, f"scorer_version{place}": version}
        joins = " ".join(_SCORE.format(place) for place in range(len(scorer_version)))
        columns = [
            *_MEASURED,
            *((str(place), _OUTCOME.format(place)) for place in range(len(scorer_version))),
        ]
        if self._repeats == 1:
            picked = ", ".join(f"{sql} as m{name}" for name, sql in columns)
            body = (
                f"select p.arm, p.example_id, hash(p.print) as print, {picked} from places p join"
                f" runs r on r.id = p.run_id {joins} order by p.arm, p.example_id"
            )
        else:
            picked = ", ".join(
                f"avg({sql}) as m{name}, count({sql}) as n{name}"
                + (
                    f", var_samp({sql}) as v{name}, bool_and({sql} in (0, 1)) as b{name}"
                    if name.isdecimal()
                    else ""
                )
                for name, sql in columns
            )
            body = (
                "select p.arm, p.example_id, hash(any_value(p.print)) as print, count(*) as"
                f" attempted, {picked} from places p join runs r on r.id = p.run_id {joins} group"
                " by p.arm, p.example_id order by p.arm, p.example_id"
            )
        frame = self._store.columns(f"with {_ARMS}, {self._places(chosen)} {body}", chosen)
        return (
            self._single(frame, len(scorer_version))
            if self._repeats == 1
            else _settled(frame, len(scorer_version))
        )

    def _single(self, frame: Columns, scorers: int) -> Columns:
        """What aggregating one run per example would give."""
        import numpy as np

        size = len(frame["arm"])
        frame["attempted"] = np.ones(size)
        for name in (*(name for name, _ in _MEASURED), *map(str, range(scorers))):
            frame[f"n{name}"] = (frame[f"m{name}"] == frame[f"m{name}"]).astype(float)
        for place in range(scorers):
            mean = frame[f"m{place}"]
            frame[f"v{place}"], frame[f"b{place}"] = (
                np.full(size, np.nan),
                (mean == 0) | (mean == 1),
            )
        return frame

    def _places(self, values: dict[str, Any]) -> str:
        if self._again:
            values["outcomes"] = [name for name, kind in FAILURES.items() if kind == "outcome"]
        return f"places as ({_LATEST if self._again else _LINKED})"

    def facts(self) -> list[dict[str, Any]]:
        """When and by what each source was answered, and what it cost."""
        values = _values(self._sources)
        rows = self._store.rows(
            f"with {_ARMS}, {self._places(values)} select p.arm, count(*), {_FACTS} from places p"
            " join runs r on r.id = p.run_id group by p.arm order by p.arm",
            values,
        )
        return [_facts(row[1:]) for row in rows]


def _scorer_versions(
    store: Store, sources: Sequence[Source], known: Mapping[str, ScorerRef]
) -> list[dict[str, str]]:
    """Per source scorer -> the version to read: the study's own where every arm has it, else the
    newest that all have; where the arms share none, each its newest, which `pair` then refuses.
    """
    rows = store.rows(
        f"with {_ARMS} select distinct a.arm, s.scorer, s.scorer_version from study_runs m join"
        " arms a on m.study_id = a.study_id and m.version_id = a.version_id join scores s on"
        " s.run_id = m.run_id and s.example_fingerprint = m.example_fingerprint order by all",
        _values(sources),
    )
    met: dict[str, dict[int, set[str]]] = {}
    for arm, scorer, version in rows:
        met.setdefault(scorer, {}).setdefault(int(arm), set()).add(version)
    out: list[dict[str, str]] = [{} for _ in sources]
    for name in [name for name in known if name in met] if known else sorted(met):
        shared = set.intersection(*met[name].values())
        own = known[name].version if name in known else ""
        for arm, versions in met[name].items():
            out[arm][name] = own if own in shared else max(shared or versions)
    return out


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
    facts: dict[str, Any],
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


def _facts(row: Sequence[Any]) -> dict[str, Any]:
    """calls, first and last (UTC), fingerprints, returned, models, endpoints, sources,
    files (that runs came in with), imported (how many did), cost_usd, cost_unknown, latency_p50 and p95, tokens, failures.
    """
    (
        calls,
        first,
        last,
        fingerprints,
        returned,
        models,
        endpoints,
        cost,
        unknown,
        latency,
        tokens_in,
        tokens_out,
        failed,
        failures,
        sources,
        imported,
        files,
    ) = row
    texts = {
        "fingerprints": fingerprints,
        "returned": returned,
        "models": models,
        "endpoints": endpoints,
        "sources": sources,
        "files": files,
    }
    return {
        "calls": calls,
        "first": first,
        "last": last,
        **{
            name: tuple(sorted(value for value in found or () if value))
            for name, found in texts.items()
        },
        "cost_usd": cost,
        "cost_unknown": unknown,
        "latency_p50": latency[0] if latency else None,
        "latency_p95": latency[1] if latency else None,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "failed": failed,
        "imported": imported,
        "failures": {
            str(failure): int(count) for failure, count in sorted((failures or {}).items())
        },
    }


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


def _settled(frame: Columns, scorers: int) -> Columns:
    """The same figures whatever order DuckDB's threads added them up in: what is not exact is kept
    to 12 significant figures.
    """
    for name, _ in _MEASURED:
        frame[f"m{name}"] = _significant(frame[f"m{name}"])
    for place in range(scorers):
        frame[f"v{place}"] = _significant(frame[f"v{place}"])
        known = frame[f"n{place}"] > 0
        if (
            not frame[f"b{place}"][known].astype(bool).all()
        ):  # means of 0 and 1 are sums of whole numbers: exact in any order
            frame[f"m{place}"] = _significant(frame[f"m{place}"])
    return frame


def _significant(values: Any) -> Any:
    """Numbers rounded to 12 significant figures; zeros and NaN as they are."""
    import numpy as np

    numbers = values.astype(float)
    known = np.isfinite(numbers) & (numbers != 0)
    scale = np.ones(len(numbers))
    scale[known] = 10.0 ** (11 - np.floor(np.log10(np.abs(numbers[known]))))
    return np.where(known, np.rint(np.where(known, numbers, 0.0) * scale) / scale, numbers)
