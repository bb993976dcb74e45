"""Stored runs and scores as the arms of a comparison: aggregated an example at a time inside DuckDB, never row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..analysis.arms import MEASURES, Arm, Outcomes
from ..errors import StudyError

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["Source", "arms_of", "latest_sources"]

# (study id, version id, label): where an arm's runs are
Source = tuple[str, str, str]

# One row a place: its answered run where there is one, else its last failed one.
_PLACES = """places as (
  select m.study_id, m.version_id, m.example_id, m.example_fingerprint as print, m.repeat,
         arg_max(r.id, (r.failure is null or r.failure in (select unnest($outcomes)), r.started_at)) as run_id
  from study_runs m join runs r on r.id = m.run_id
  where m.study_id in (select unnest($studies)) and m.version_id in (select unnest($versions))
  group by all)"""
_OUTCOME = "case when s.passed is null then s.value else s.passed::double end"
_SCORES = f"""with {_PLACES}
select p.study_id, p.version_id, s.scorer, p.example_id, any_value(p.print),
       avg({_OUTCOME}), count({_OUTCOME}), var_samp({_OUTCOME}), bool_and({_OUTCOME} in (0, 1)), s.scorer_version
from places p join scores s on s.run_id = p.run_id and s.example_fingerprint = p.print
group by p.study_id, p.version_id, s.scorer, s.scorer_version, p.example_id order by all"""
_EXAMPLES = f"""with {_PLACES}
select p.study_id, p.version_id, p.example_id, any_value(p.print), count(*),
       avg(r.cost_usd), count(r.cost_usd), avg(r.latency_ms), count(r.latency_ms),
       avg(r.tokens_in + r.tokens_out), count(r.tokens_in + r.tokens_out)
from places p join runs r on r.id = p.run_id group by p.study_id, p.version_id, p.example_id order by p.example_id"""
_FACTS = f"""with {_PLACES}
select p.study_id, p.version_id, count(*), min(r.started_at), max(r.started_at), list(distinct r.fingerprint), list(distinct r.model_returned),
       list(distinct r.model), sum(r.cost_usd), count(*) - count(r.cost_usd), quantile_cont(r.latency_ms, .5), quantile_cont(r.latency_ms, .95),
       sum(r.tokens_in), sum(r.tokens_out), count(*) filter (where r.failure is not null), list(distinct r.endpoint)
from places p join runs r on r.id = p.run_id group by p.study_id, p.version_id"""
_FAILURES = f"""with {_PLACES}
select p.study_id, p.version_id, r.failure, count(*) from places p join runs r on r.id = p.run_id where r.failure is not null group by all order by all"""


def arms_of(store: Store, sources: Sequence[Source], scorers: Sequence[Mapping[str, Any]]) -> list[Arm]:
    """One Arm a source, in order. scorers: {"name", "version", "kind"} in the study's order; their versions only.

    Examples are paired by id where the content is equal in all arms; an id with other content in another arm stands apart.
    """
    from ..run import FAILURES

    values = {
        "studies": sorted({study for study, _, _ in sources}),
        "versions": sorted({version for _, version, _ in sources}),
        "outcomes": [name for name, kind in FAILURES.items() if kind == "outcome"],
    }
    examples = _by_source(store.rows(_EXAMPLES, values))
    scores = _by_source(store.rows(_SCORES, values))
    facts = {(row[0], row[1]): row[2:] for row in store.rows(_FACTS, values)}
    failures = _by_source(store.rows(_FAILURES, values))
    for study, version, label in sources:
        if (study, version) not in examples:
            raise StudyError(f"{label} has no runs in this study; evaluate it first.")
    chosen = _chosen(scores, scorers)
    odd = _odd([examples[study, version] for study, version, _ in sources])
    return [
        _arm(
            version,
            label,
            examples[study, version],
            _of_version(scores.get((study, version), []), chosen),
            _facts(facts[study, version], failures.get((study, version), [])),
            scorers,
            odd,
        )
        for study, version, label in sources
    ]


def _by_source(rows: Sequence[Sequence[Any]]) -> dict[tuple[str, str], list[Sequence[Any]]]:
    out: dict[tuple[str, str], list[Sequence[Any]]] = {}
    for row in rows:
        out.setdefault((row[0], row[1]), []).append(row[2:])
    return out


def _chosen(scores: Mapping[tuple[str, str], Sequence[Any]], scorers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """scorer -> the version to compare by: the study's own where every arm has it, else the newest that all have."""
    met: dict[str, list[set[str]]] = {}
    for rows in scores.values():
        here: dict[str, set[str]] = {}
        for row in rows:
            here.setdefault(row[0], set()).add(row[7])
        for name, versions in here.items():
            met.setdefault(name, []).append(versions)
    own = {str(scorer["name"]): str(scorer["version"]) for scorer in scorers}
    out = {}
    for name, found in met.items():
        shared = set.intersection(*found)
        if own.get(name) in shared or shared:
            out[name] = own[name] if own.get(name) in shared else max(shared)
    return out


def _of_version(rows: Sequence[Any], chosen: Mapping[str, str]) -> list[Any]:
    """The rows by the chosen version of each scorer; all of them where the arms share none, which `pair` then refuses."""
    return [row for row in rows if chosen.get(row[0], row[7]) == row[7]]


def _odd(arms: Sequence[Sequence[Sequence[Any]]]) -> set[str]:
    """Example ids whose content differs between the arms."""
    prints: dict[str, set[str]] = {}
    for rows in arms:
        for row in rows:
            prints.setdefault(row[0], set()).add(row[1])
    return {example for example, found in prints.items() if len(found) > 1}


def _arm(
    version: str,
    label: str,
    examples: Sequence[Any],
    scores: Sequence[Any],
    facts: dict[str, Any],
    scorers: Sequence[Mapping[str, Any]],
    odd: set[str],
) -> Arm:
    import numpy as np

    names = [row[0] if row[0] not in odd else f"{row[0]}@{row[1][:8]}" for row in examples]
    index = {row[0]: place for place, row in enumerate(examples)}
    attempted = np.array([row[2] for row in examples], float)
    by_scorer: dict[str, list[Any]] = {}
    for row in scores:
        if row[1] in index:  # a study that is still running may have more scores by now than it had runs a moment ago
            by_scorer.setdefault(row[0], []).append(row)
    known = {scorer["name"]: scorer for scorer in scorers}
    found: dict[str, Outcomes] = {}
    for name in [*[n for n in known if n in by_scorer], *[n for n in by_scorer if n not in known and not known]]:
        rows = by_scorer[name]
        mean, count, variance = np.full(len(names), np.nan), np.zeros(len(names)), np.full(len(names), np.nan)
        where = np.array([index[row[1]] for row in rows], int)
        mean[where] = [np.nan if row[3] is None else row[3] for row in rows]
        count[where] = [row[4] for row in rows]
        variance[where] = [np.nan if row[5] is None else row[5] for row in rows]
        versions = tuple(sorted({row[7] for row in rows}))
        binary = all(row[6] for row in rows if row[4])
        info = known.get(name, {})
        found[name] = Outcomes(
            names, mean, count, attempted, variance, binary, str(info.get("kind", "assertion")), versions, info.get("calibrated")
        )
    measures = {name: _measure(names, examples, attempted, 3 + 2 * place) for place, name in enumerate(MEASURES)}
    return Arm(version, label, found, {name: outcomes for name, outcomes in measures.items() if outcomes.scored.sum()}, facts)


def _measure(names: Sequence[str], examples: Sequence[Any], attempted: Any, column: int) -> Outcomes:
    import numpy as np

    mean = np.array([np.nan if row[column] is None else row[column] for row in examples], float)
    return Outcomes(
        names, mean, np.array([row[column + 1] for row in examples], float), attempted, np.full(len(names), np.nan), kind="measure"
    )


_FACT_NAMES = (
    "calls",
    "first",
    "last",
    "fingerprints",
    "returned",
    "models",
    "cost_usd",
    "cost_unknown",
    "latency_p50",
    "latency_p95",
    "tokens_in",
    "tokens_out",
    "failed",
    "endpoints",
)


def _facts(row: Sequence[Any], failures: Sequence[Any]) -> dict[str, Any]:
    facts = dict(zip(_FACT_NAMES, row, strict=True))
    for name in ("fingerprints", "returned", "models", "endpoints"):
        facts[name] = tuple(sorted(value for value in facts[name] or () if value))
    facts["failures"] = {str(failure): int(count) for failure, count in failures}
    return facts


def latest_sources(store: Store, versions: Mapping[str, str], study: str | None = None) -> list[Source]:
    """For each version id -> label, its most recent study (or the one named)."""
    rows = store.rows(
        "select m.version_id, arg_max(m.study_id, s.created_at) from study_runs m join studies s on s.id = m.study_id "
        "where m.version_id in (select unnest(?)) and (? is null or m.study_id = ?) group by m.version_id",
        [list(versions), study, study],
    )
    found = dict(rows)
    for version, label in versions.items():
        if version not in found:
            raise StudyError(
                f"{label} was never evaluated{' in this study' if study else ''}; call lab.evaluate([...], dataset, scorers=[...]) with it first."
            )
    return [(found[version], version, label) for version, label in versions.items()]
