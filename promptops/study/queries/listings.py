"""The tables of runs, studies and searches that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...store.read import checked_limit
from .studies import LISTED

if TYPE_CHECKING:
    from pandas import DataFrame

    from ...store import Store

__all__ = ["runs_frame", "searches_frame", "studies_frame"]


def runs_frame(store: Store, most: int) -> DataFrame:
    """The newest runs, all of their columns."""
    asked = "select * from runs order by started_at desc limit ?"
    return store.frame(asked, [checked_limit(most)])


def studies_frame(store: Store) -> DataFrame:
    """One row per study, newest first: name, prompt, arms, dataset, examples, runs, status (its
    last event), created_at, id.
    """
    return store.frame(
        "select s.name, s.prompt, try_cast(json_array_length(d, '$.arms') as int) as arms,"
        " (d->>'$.dataset.name') as dataset, try_cast(d->>'$.dataset.n' as int) as"
        " examples, (select count(distinct (m.arm, m.example_id, m.repeat)) from study_runs m where"
        " m.study_id = s.id) as runs,"
        " (select arg_max(e.event, e.event_at) from study_events e where e.study_id = s.id) as"
        " status, s.created_at, s.id from (select *, case when json_valid(design) then design"
        f" end as d from studies) s where {LISTED} order by s.created_at desc"
    )


def searches_frame(store: Store) -> DataFrame:
    """One row per optimisation, newest first: prompt, method, candidates, best_score on val,
    status, created_at, id.
    """
    return store.frame(
        "select o.prompt, o.method, (select count(*) - 1 from candidates c where"
        " c.optimization_id = o.id) as candidates, (select max(e.score) from candidate_events"
        " e where e.optimization_id = o.id and e.status = 'best') as best_score, case when"
        " exists (select 1 from candidate_events e where e.optimization_id = o.id and e.status"
        " = 'best') then 'finished' else 'begun' end as status, o.created_at, o.id from"
        " optimizations o order by o.created_at desc"
    )
