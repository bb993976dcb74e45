"""Which earlier studies judged some versions by clusters, and what those asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["asked_by_examples", "clustered_studies", "clusters_of"]

_CLUSTER = "case when json_valid(document) then document->>'$.cluster' end"
_STUDIES = f"""
with before as (
  select id, name, created_at,
    case when json_valid(design) then design->>'$.dataset.fingerprint' end as dataset
  from studies where id in (select unnest(?))
    and (created_at, id) < (select (created_at, id) from studies where id = ?)
)
select id, name, dataset from before where dataset in (
  select dataset_fingerprint from examples
  where dataset_fingerprint in (select dataset from before) and {_CLUSTER} is not null)
order by created_at, id
"""
_CLUSTERS = f"""
select example_fingerprint, {_CLUSTER} as cluster from examples
where dataset_fingerprint = ? and cluster is not null
"""
_ASKED = """
select distinct m.version_id, m.example_fingerprint, r.key
from study_runs m join runs r on r.id = m.run_id
where m.study_id in (select unnest(?)) and m.version_id in (select unnest(?)) and r.key is not null
"""


def clustered_studies(
    store: Store, studies: Sequence[str], before: str
) -> list[tuple[str, str, str]]:
    """(id, name, dataset's fingerprint) of those of these studies that are older than the study
    `before` and on a dataset with clusters, oldest first.
    """
    return list(store.rows(_STUDIES, [list(studies), before]))


def clusters_of(store: Store, dataset: str) -> list[tuple[str, str]]:
    """(example's fingerprint, cluster) of the examples of a dataset that have one."""
    return list(store.rows(_CLUSTERS, [dataset]))


def asked_by_examples(
    store: Store, studies: Sequence[str], versions: Sequence[str]
) -> list[tuple[str, str, str]]:
    """(version, example's fingerprint, reuse key) of what these studies asked these versions."""
    return list(store.rows(_ASKED, [list(studies), list(versions)]))
