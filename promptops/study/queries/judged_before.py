"""Questions about what was judged before: which studies asked the same, and with which runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .recorded_runs import ANSWERED, OUTCOMES

if TYPE_CHECKING:
    from ...store import Store

__all__ = [
    "digest_of",
    "pooled_outcomes",
    "studies_alone",
    "studies_alone_of_these",
    "studies_asking_these",
    "studies_beside",
    "studies_holding",
]

_OTHERS = "select 1 from study_runs where version_id = ? and study_id <> ? limit 1"
_BESIDE = f"""
with mine as (
  select distinct r.key, m.example_fingerprint from study_runs m join runs r on r.id = m.run_id
  where m.study_id = ? and m.version_id = ?
), near as (
  select distinct m.study_id from study_runs m join runs r on r.id = m.run_id
  where m.version_id = ? and (r.key in (select key from mine)
    or m.example_fingerprint in (select example_fingerprint from mine)
    or m.study_id in (select unnest(?)))
)
select s.id, s.design, m.version_id, count(distinct m.example_fingerprint),
  bit_xor(distinct md5_number_lower(m.run_id))
from near join studies s on s.id = near.study_id join study_runs m on m.study_id = s.id
  join runs r on r.id = m.run_id
where {ANSWERED} and (s.created_at, s.id) <= (select (created_at, id) from studies where id = ?)
group by s.id, s.design, s.created_at, m.version_id order by s.created_at, s.id, m.version_id
"""
_ASKING = f"""
with near as (
  select distinct m.study_id from study_runs m join runs r on r.id = m.run_id
  where m.version_id = ? and (r.key in (select unnest(?))
    or m.example_fingerprint in (select unnest(?)) or m.study_id in (select unnest(?)))
)
select s.id, s.design, m.version_id, count(distinct m.example_fingerprint),
  bit_xor(distinct md5_number_lower(m.run_id))
from near join studies s on s.id = near.study_id join study_runs m on m.study_id = s.id
  join runs r on r.id = m.run_id
where {ANSWERED}
group by s.id, s.design, s.created_at, m.version_id order by s.created_at, s.id, m.version_id
"""
# studies of one version of a pair without the other, on examples that the other had answered too
_ALONE = f"""
known as (
  select b.example_fingerprint, min(earlier.created_at) as since
  from study_runs b join earlier on earlier.id = b.study_id
  where b.version_id = ? group by b.example_fingerprint
), alike as (
  select unnest(?::varchar[]) as id
), answered as (
  select min(e.created_at) as since from earlier e join study_runs b on b.study_id = e.id
  where b.version_id = ? and e.id in (select id from alike)
)
select s.id, s.design, m.version_id, count(distinct m.example_fingerprint),
  bit_xor(distinct md5_number_lower(m.run_id))
from earlier s join study_runs m on m.study_id = s.id join runs r on r.id = m.run_id
  left join known on known.example_fingerprint = m.example_fingerprint
where {ANSWERED} and m.version_id = ?
  and s.id not in (select study_id from study_runs where version_id = ?)
group by s.id, s.design, s.created_at, m.version_id
having (bool_or(known.since is not null and (not ? or known.since < s.created_at)
  and (r.key in (select key from mine where key is not null)
    or m.example_fingerprint in (
      select example_fingerprint from mine where example_fingerprint is not null)))
    or s.id in (select id from alike) and (select since from answered) is not null
      and (not ? or (select since from answered) < s.created_at))
  and not ((select count(distinct run_id) from mine)
    = count(distinct m.run_id) filter (
      where m.run_id in (select run_id from mine where run_id is not null))
    and (select count(distinct example_fingerprint) from mine)
    = count(distinct m.example_fingerprint))
order by s.created_at, s.id
"""
_RECORDED_ALONE = f"""
with mine as (
  select distinct r.key, m.example_fingerprint, m.run_id
  from study_runs m join runs r on r.id = m.run_id where m.study_id = ? and m.version_id = ?
), earlier as (
  select id, design, created_at from studies
  where (created_at, id) < (select (created_at, id) from studies where id = ?)
), {_ALONE}"""
_AHEAD_ALONE = f"""
with mine as (
  select unnest(?::varchar[]) as key, unnest(?::varchar[]) as example_fingerprint,
    unnest(?::varchar[]) as run_id
), earlier as (
  select id, design, created_at from studies
), {_ALONE}"""
_HOLDING = """
select distinct study_id from study_runs where version_id = ? and study_id in (select unnest(?))
"""
_POOLED = """
with own as (
  select distinct m.version_id as version, coalesce(o.endpoint, '') as endpoint,
    coalesce(o.role, 'model') as role
  from study_runs m join runs o on o.id = m.run_id where m.study_id = ?
), imported as (
  select distinct i.version_id, i.example_fingerprint
  from study_runs i join runs on runs.id = i.run_id
  where i.study_id in (select unnest(?)) and runs.role = 'imported'
), reads as (
  select unnest(?::varchar[]) as version, unnest(?::varchar[][]) as paths
), question as (
  select i.version_id, i.example_fingerprint, any_value(md5(concat(
    case when len(list_filter(paths, lambda path: (document->path) is null)) = 0
      then list_transform(paths, lambda path: document->path)::varchar
      else document->>'inputs' end, document->>'history'))) as id
  from imported i join examples e on e.example_fingerprint = i.example_fingerprint
    left join reads on reads.version = i.version_id
  group by 1, 2
)
select distinct m.version_id, m.example_fingerprint, m.run_id,
  case when s.passed is null then s.value else s.passed::double end,
  coalesce(case when r.role = 'imported' then q.id else r.key end, m.example_fingerprint)
from study_runs m join runs r on r.id = m.run_id
left join question q
  on q.version_id = m.version_id and q.example_fingerprint = m.example_fingerprint
left join scores s on s.run_id = m.run_id
  and s.example_fingerprint = m.example_fingerprint and s.scorer = ? and s.scorer_version = ?
where m.study_id in (select unnest(?)) and m.version_id in (select unnest(?))
  and ((m.version_id, coalesce(r.endpoint, ''), coalesce(r.role, 'model')) in (from own)
    or m.version_id not in (select version from own))
order by 1, 2, 3
"""


def studies_beside(
    store: Store, study: str, baseline: str, alike: Sequence[str] = (), *, alone: bool = False
) -> list[tuple[str, str, str, int, int]]:
    """(study, design as JSON, version, examples, digest of its runs) of every study up to this one
    that asked the baseline what this one asks it, oldest first; empty if this is the only one,
    unless `alone` asks for it. alike: studies on other datasets that hold the same examples.
    """
    if not alone and not store.rows(_OTHERS, [baseline, study]):
        return []
    values = [study, baseline, baseline, list(alike), OUTCOMES, study]
    return list(store.rows(_BESIDE, values))


def studies_alone(
    store: Store,
    study: str,
    pair: tuple[str, str],
    alike: Sequence[str] = (),
    *,
    after: bool = False,
) -> list[tuple[str, str, str, int, int]]:
    """The same of every earlier study that asked a version what this one asks it, and not the other
    of the pair, whose answers were there to be compared with; but for one that asked the same
    examples and holds all its answers, as a measure of the noise does.

    pair: ids of the version and of the other; alike: studies on datasets that hold the same
    examples, this one's too; after: only of studies that began after those of the other version.
    """
    version, other = pair
    if not store.rows(_OTHERS, [version, study]) or not store.rows(_OTHERS, [other, study]):
        return []
    values = [study, version, study, other, list(alike), other, OUTCOMES, version, other]
    return list(store.rows(_RECORDED_ALONE, [*values, after, after]))


def studies_alone_of_these(
    store: Store,
    pair: tuple[str, str],
    keys: Sequence[str],
    prints: Sequence[str],
    runs: Sequence[str],
    alike: Sequence[str] = (),
    *,
    after: bool = False,
) -> list[tuple[str, str, str, int, int]]:
    """The same before a study is recorded.

    pair: ids of the version and of the other; keys: reuse keys of the questions to the version;
    prints: fingerprints of the examples; runs: the version's answers if all are there;
    alike: studies on datasets that hold the same examples.
    """
    if not store.has("study_runs"):
        return []
    version, other = pair
    values: list[object] = [list(keys), list(prints), list(runs)]
    values += [other, list(alike), other, OUTCOMES, version, other, after, after]
    return list(store.rows(_AHEAD_ALONE, values))


def studies_holding(store: Store, version: str, studies: Sequence[str]) -> set[str]:
    """Those of these studies that asked a version."""
    return {str(row[0]) for row in store.rows(_HOLDING, [version, list(studies)])}


def studies_asking_these(
    store: Store,
    baseline: str,
    keys: Sequence[str],
    prints: Sequence[str],
    alike: Sequence[str] = (),
) -> list[tuple[str, str, str, int, int]]:
    """The same of every study that asked the baseline one of these questions or examples, before a
    study of them is recorded.

    keys: reuse keys of the questions; prints: fingerprints of the examples; alike: studies on other
    datasets that hold the same examples.
    """
    if not store.has("study_runs"):
        return []
    return list(store.rows(_ASKING, [baseline, list(keys), list(prints), list(alike), OUTCOMES]))


def digest_of(store: Store, runs: Sequence[str]) -> int:
    """The digest of some runs, as that of a study's runs of one arm."""
    found = store.rows(
        "select bit_xor(distinct md5_number_lower(run)) from (select unnest(?) as run)",
        [list(runs)],
    )
    return int(found[0][0] or 0)


def pooled_outcomes(
    store: Store,
    scorer: tuple[str, str],
    studies: Sequence[str],
    reads: Mapping[str, Sequence[str]],
    at_hand: str,
) -> list[tuple[str, str, str, float | None, str]]:
    """(version, example's fingerprint, run, outcome, question) of every run of some versions in
    some studies, each run once. Answers to the same have one question, also those that were asked
    afresh. Of imported ones it is what the version reads of the example, or the whole example.

    Answers of an endpoint where the study at hand did not ask the version are left out: another
    address, another function in the model's place, another state of it, or an import is another
    system.

    scorer: name and version; reads: version -> JSON pointers to what it reads of an example's
    document; none if it may read anything.
    """
    known = {version: list(paths) for version, paths in reads.items() if paths}
    values: list[Any] = [at_hand, list(studies), list(known), list(known.values())]
    values += [*scorer, list(studies), list(reads)]
    return list(store.rows(_POOLED, values))
