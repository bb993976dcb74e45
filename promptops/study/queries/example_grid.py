"""What every version of a study answered to a page of examples: a grid of example by version."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...markup import without_data
from ..example_rows import SHORT, GridCell

if TYPE_CHECKING:
    from ..recorded_study import RecordedStudy
    from ..study_record import ArmRecord

__all__ = ["grid_of", "golden_answers", "in_order"]

_OUTCOME = "case when s.passed is null then s.value else s.passed::double end"
_CELLS = f"""select m.example_id, m.version_id,
  arg_max(left(coalesce(r.output, ''), {SHORT}), r.started_at) filter (where m.repeat = 0),
  avg({_OUTCOME}), arg_max(coalesce(r.failure, ''), r.started_at)
  from study_runs m join runs r on r.id = m.run_id
  left join scores s on s.run_id = m.run_id and s.example_fingerprint = m.example_fingerprint and
    s.scorer = $scorer and s.scorer_version = $scorer_version
  where m.study_id = $study and m.example_id in (select unnest($examples)) group by all"""
_GOLDEN = """select example_id, json_extract(document, '$.expected') from examples
  where dataset_fingerprint = ? and example_id in (select unnest(?))"""


def in_order(
    study: RecordedStudy, candidate: ArmRecord, baseline: ArmRecord | None
) -> tuple[ArmRecord, ...]:
    """The arms as the grid's columns: the baseline first and the candidate last."""
    ends = {arm.version for arm in (candidate, baseline) if arm is not None}
    middle = [arm for arm in study.record.arms if arm.version not in ends]
    return (*((baseline,) if baseline is not None else ()), *middle, candidate)


def grid_of(
    study: RecordedStudy, arms: Sequence[ArmRecord], ids: Sequence[str], scorer: str
) -> dict[str, tuple[GridCell, ...]]:
    """example -> a cell for each arm, in their order; an arm without a run has an empty one.

    Args:
        study: whose answers.
        arms: the columns.
        ids: the examples of the page.
        scorer: whose outcomes; "" for the primary.
    """
    name = scorer or study.record.primary
    versions = {own.name: own.version for own in study.record.scorers}
    asked = {
        "study": study.id,
        "examples": list(ids),
        "scorer": name,
        "scorer_version": versions.get(name, ""),
    }
    found = {
        (example, version): (output or "", value, failure)
        for example, version, output, value, failure in study.project.store.rows(_CELLS, asked)
    }
    return {
        example: tuple(
            GridCell(arm.label, *found.get((example, arm.version), ("", None, ""))) for arm in arms
        )
        for example in ids
    }


def golden_answers(study: RecordedStudy, ids: Sequence[str]) -> dict[str, str]:
    """example -> its golden answer as one text, cut to SHORT characters; "" without one."""
    rows = study.project.store.rows(_GOLDEN, [study.record.dataset.fingerprint, list(ids)])
    return {name: _text(json.loads(value) if value else None) for name, value in rows}


def _text(expected: object) -> str:
    if expected is None:
        return ""
    if isinstance(expected, str):
        return without_data(expected)[:SHORT]
    return without_data(json.dumps(expected, ensure_ascii=False))[:SHORT]
