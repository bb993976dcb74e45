"""The question whether answers were scored against other golden answers before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["scored_against_others"]

# The first score of an answer counts: it is from before anybody could have seen an outcome of it.
# An answer that was imported for each content of its example has a run for each of them.
_OTHERS = """
with mine as (
  select distinct version_id, example_id, run_id, example_fingerprint from study_runs
  where study_id = ? and version_id in (select unnest(?))
), came as (
  select id, version_id, example_id, repeat, output from runs
  where role = 'imported' and version_id in (select version_id from mine)
), same as (
  select run_id, run_id as earlier from mine
  union select m.id, o.id from came m
    join came o using (version_id, example_id, repeat, output)
  where m.id in (select run_id from mine)
), outcomes as (
  select same.run_id, s.example_fingerprint, s.scored_at,
    case when s.passed is null then s.value else s.passed::double end as outcome
  from scores s join same on same.earlier = s.run_id
  where s.scorer = ? and s.scorer_version = ?
)
select mine.version_id, mine.example_id, avg(now.outcome), avg(before.outcome)
from mine join outcomes now
    on now.run_id = mine.run_id and now.example_fingerprint = mine.example_fingerprint
  join (select run_id, arg_min(outcome, scored_at) as outcome, min(scored_at) as scored_at
    from outcomes where outcome is not null and example_fingerprint not in
      (select example_fingerprint from study_runs where study_id = ?) group by run_id) before
    on before.run_id = mine.run_id and before.scored_at < now.scored_at
where now.outcome is not null
group by 1, 2 having avg(now.outcome) <> avg(before.outcome) order by 1, 2
"""


def scored_against_others(
    store: Store, study: str, versions: Sequence[str], scorer: tuple[str, str]
) -> list[tuple[str, str, float, float]]:
    """(version, example, mean outcome now, mean outcome before) of the examples of a study where
    the same answers were scored otherwise by the same scorer before, against another content of
    the example: its golden answer was changed since.

    scorer: name and version.
    """
    return list(store.rows(_OTHERS, [study, list(versions), *scorer, study]))
