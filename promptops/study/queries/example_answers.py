"""Questions about the answers of two arms, example by example: figures, texts, tags and scores.

Search and tags are bound parameters. `Sides` names whose answers are meant: a study, its candidate
("new") and its baseline ("old").
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..example_rows import LONG

if TYPE_CHECKING:
    from pandas import DataFrame

    from ...store import Store

__all__ = [
    "Sides",
    "answers_to",
    "containing",
    "documents_of",
    "figures_by_example",
    "first_outputs",
    "judgements_of",
    "tagged",
    "tags_of",
]

Sides = Mapping[str, str]  # "study", "new" and "old": the study, and a version on each side

_OUTCOME = "case when s.passed is null then s.value else s.passed::double end"
_FIGURES = f"""select m.example_id, avg({_OUTCOME}) filter (where m.version_id = $new) as new,
  avg({_OUTCOME}) filter (where m.version_id = $old) as old,
  coalesce(arg_max(coalesce(r.failure, ''), r.started_at) filter (where m.version_id = $new), '')
    as new_failure,
  coalesce(arg_max(coalesce(r.failure, ''), r.started_at) filter (where m.version_id = $old), '')
    as old_failure
  from study_runs m join runs r on r.id = m.run_id
  left join scores s on s.run_id = m.run_id and s.example_fingerprint = m.example_fingerprint and
    s.scorer = $scorer and s.scorer_version = $scorer_version
  where m.study_id = $study and m.version_id in ($new, $old) group by m.example_id"""
_CONTAINING = """select m.example_id from study_runs m join runs r on r.id = m.run_id
  where m.study_id = $study and m.version_id in ($new, $old) and contains(lower(r.output),
    lower($text))
  union select example_id from examples where dataset_fingerprint = $dataset and
    (contains(lower(document), lower($text)) or contains(lower(example_id), lower($text)))"""
_TAGGED = (
    "select example_id from examples where dataset_fingerprint = ? and"
    " list_contains(json_extract_string(document, '$.tags[*]'), ?)"
)
_TAGS = """select tag from (select unnest(json_extract_string(document, '$.tags[*]')) as tag from
  examples where dataset_fingerprint = ?)
  group by tag order by count(*) desc, tag limit 200"""
# of images that were sent along
_DATA = "(data:[A-Za-z0-9.+/;=-]{0,200}base64,[A-Za-z0-9+/_-]{24})[A-Za-z0-9+/=_-]{100,}"
_ANSWERS = f"""select m.version_id, r.id, left(r.output, {LONG}), r.failure, r.failure_detail,
  r.cost_usd, r.latency_ms, r.tokens_in, r.tokens_out,
  r.attempts, left(regexp_replace(r.request, '{_DATA}', '\\1… (shortened)', 'g'), {4 * LONG}),
    m.example_fingerprint from study_runs m join runs r on r.id = m.run_id
  where m.study_id = $study and m.version_id in ($new, $old) and m.example_id = $example order by
    m.repeat desc, r.started_at"""
_FIRST_OUTPUTS = f"""select m.example_id, m.version_id, arg_max(r.id, r.started_at),
  arg_max(left(coalesce(r.output, r.failure), {LONG}), r.started_at)
  from study_runs m join runs r on r.id = m.run_id
  where m.study_id = $study and m.version_id in ($new, $old) and m.repeat = 0 and m.example_id in
    (select unnest($examples)) group by all"""
_DOCUMENTS = (
    "select example_id, document from examples where dataset_fingerprint = ? and example_id in"
    " (select unnest(?))"
)
_JUDGEMENTS = (
    "select run_id, scorer, value, passed, reason, unscored from scores where run_id in"
    " (select unnest(?)) and example_fingerprint in (select unnest(?)) and scorer_version"
    " in (select unnest(?)) order by scorer"
)


def figures_by_example(store: Store, sides: Sides, scorer: str, version: str) -> DataFrame:
    """One row per example: its mean outcome by a scorer on either side (new, old), and the class of
    its latest failure (new_failure, old_failure).
    """
    return store.frame(_FIGURES, {**sides, "scorer": scorer, "scorer_version": version})


def containing(store: Store, sides: Sides, dataset: str, text: str) -> frozenset[str]:
    """The examples whose id, document or answer on either side contains a text."""
    rows = store.rows(_CONTAINING, {**sides, "dataset": dataset, "text": text})
    return frozenset(row[0] for row in rows)


def tagged(store: Store, dataset: str, tag: str) -> frozenset[str]:
    """The examples of a dataset that have a tag."""
    return frozenset(row[0] for row in store.rows(_TAGGED, [dataset, tag]))


def tags_of(store: Store, dataset: str) -> tuple[str, ...]:
    """The tags of a dataset, the most frequent first; at most 200."""
    return tuple(str(row[0]) for row in store.rows(_TAGS, [dataset]))


def first_outputs(
    store: Store, sides: Sides, ids: Sequence[str]
) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(example, version) -> the run of its latest first answer, and that answer or its failure."""
    rows = store.rows(_FIRST_OUTPUTS, {**sides, "examples": list(ids)})
    return {(example, version): (run, output) for example, version, run, output in rows}


def answers_to(store: Store, sides: Sides, example: str) -> list[tuple[Any, ...]]:
    """Every answer to one example on either side, the first repeat and the latest one last; the
    columns are those of `examples.Answer`.
    """
    return store.rows(_ANSWERS, {**sides, "example": example})


def documents_of(store: Store, dataset: str, ids: Sequence[str]) -> dict[str, str]:
    """Example -> its document, as JSON."""
    return dict(store.rows(_DOCUMENTS, [dataset, list(ids)]))


def judgements_of(
    store: Store, runs: Sequence[str], fingerprints: Collection[str], versions: Collection[str]
) -> list[tuple[str, str, float | None, bool | None, str | None, str | None]]:
    """(run, scorer, value, passed, reason, unscored) of runs on examples of these fingerprints, by
    these versions of scorers.
    """
    return store.rows(_JUDGEMENTS, [list(runs), list(fingerprints), sorted(versions)])
