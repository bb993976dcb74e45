"""Questions about a judge's verdicts, alone and beside people's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["Verdict", "beside_labels", "verdicts_of"]

# A judge that compares is compared with labels of the same pair. The version that it compares with
# is reported by its own score: no judge is asked about an answer beside itself. People's latest
# labels count, averaged over raters.
_LABELLED = """with latest as (
  select l.run_id, split_part(l.kind, ':', 2) as other, l.rater, arg_max(l.value, (l.labelled_at,
    l.id)) as value
  from labels l where split_part(l.kind, ':', 1) in ('rubric', 'pass', 'score', 'pairwise') and
    l.value between 0 and 1
    and ($study is null or l.run_id in (select run_id from study_runs where study_id = $study))
      group by all),
sides as (select * from latest union all select other, run_id, rater, 1 - value from latest where
  other <> ''),
human as (select run_id, other, avg(value) as human from sides group by all),
own as (select run_id, arg_max(value, scored_at) as judge, arg_max(reason, scored_at) as reason
  from scores
  where scorer = $name and scorer_version = $scorer_version and value is not null group by 1),
pairs as (select count(*) > 0 as compares from scores where scorer = $name || '/shown first' and
  scorer_version = $scorer_version)
select h.run_id, any_value(o.judge), avg(h.human) from human h join own o on o.run_id = h.run_id,
  pairs p
where case when p.compares
  then h.other in (select run_id from own where reason = 'the answers are the same')
  else h.other = '' end
group by h.run_id order by h.run_id"""
_HEAD = """select m.version_id, m.example_id, m.repeat, m.run_id, s.scorer, s.value, s.category,
  r.output, r.model
from study_runs m join runs r on r.id = m.run_id join scores s on s.run_id = m.run_id and
  s.example_fingerprint = m.example_fingerprint
where m.study_id = ? and s.scorer_version = ? and (s.scorer = ? or starts_with(s.scorer, ?))
  order by all"""

# version, example, repeat, run, scorer, value, category, the answer that was judged, its model
Verdict = tuple[str, str, int, str, str, float | None, str | None, str | None, str | None]


def beside_labels(
    store: Store, name: str, scorer_version: str, study: str | None
) -> list[tuple[str, float, float]]:
    """(run, the judge's value, people's mean value) of each answer that both judged, 0 to 1."""
    asked = {"study": study, "name": name, "scorer_version": scorer_version}
    return list(store.rows(_LABELLED, asked))


def verdicts_of(store: Store, study: str, name: str, scorer_version: str) -> list[Verdict]:
    """Every score of one version of a judge in a study, its parts ("name/part") as well."""
    return list(store.rows(_HEAD, [study, scorer_version, name, f"{name}/"]))
