"""The examples that a comparison changed, with what was asked, the golden answer and both answers:
what a cell, a report and a page of a table show of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError
from ..lab.compare_table import TableComparison
from ..markup import without_data
from ..study.queries.shown_answers import first_answers
from ..study.recorded_study import find_study
from .folds import chosen

if TYPE_CHECKING:
    from ..dataset import Example
    from ..lab.comparison import Comparison
    from ..study.recorded_study import RecordedStudy

__all__ = ["Changed", "changed_examples"]

_TEXT = 4_000  # characters of one text


@dataclass(frozen=True, slots=True)
class Changed:
    """One changed example. gain: positive where the candidate did better; answers and reasons: the
    baseline's, then the candidate's.
    """

    example: str
    gain: float
    asked: str
    expected: str
    answers: tuple[str, str]
    reasons: tuple[str, str] = ("", "")


def changed_examples(
    comparison: Comparison, most: int, study: RecordedStudy | None = None
) -> list[Changed]:
    """At most `most` changed examples of the study itself, biggest losses first; [] if the texts
    are not at hand.

    Args:
        study: where the comparison rests on a recorded study that the caller has open.
    """
    flips = comparison.flips()
    pairs = list(zip(flips["example_id"], flips["gain"], strict=True))
    if isinstance(comparison, TableComparison):
        return _of_table(comparison, chosen(pairs, most))
    study = study or _study_of(comparison)
    if study is None:
        return []
    own = {example.id for example in study.dataset}  # others are pooled from earlier studies
    return _of_study(comparison, study, chosen([each for each in pairs if each[0] in own], most))


def _study_of(comparison: Comparison) -> RecordedStudy | None:
    """The study that a comparison names; None if it names none that can be read."""
    if comparison.project is None or not comparison.grounds.study:
        return None
    try:
        return find_study(comparison.project, comparison.grounds.study)
    except PromptOpsError:
        return None


def _of_table(comparison: TableComparison, pairs: list[tuple[str, float]]) -> list[Changed]:
    examples = {example.id: example for example in comparison.table.dataset}
    labels = (comparison.baseline.label, comparison.candidate.label)
    out = []
    for example_id, gain in pairs:
        example = examples[example_id]
        answers = (
            "\n".join(map(_text, comparison.table.cells[label].get(example_id, ())))
            for label in labels
        )
        old, new = answers
        asked = _asked(example.inputs)
        out.append(Changed(example_id, float(gain), asked, _expected(example), (old, new)))
    return out


def _of_study(
    comparison: Comparison, study: RecordedStudy, pairs: list[tuple[str, float]]
) -> list[Changed]:
    versions = (comparison.baseline.version, comparison.candidate.version)
    found = first_answers(
        study.project.store,
        study.id,
        versions,
        [example for example, _ in pairs],
        comparison.primary_name,
        _TEXT,
    )
    data = {example.id: example for example in study.dataset}
    names = {
        variable.name
        for version in map(study.version_of, versions)
        if version is not None
        for variable in version.variables
    }
    out = []
    for example_id, gain in pairs:
        example = data.get(example_id)
        read = {} if example is None else example.inputs
        shown = {name: value for name, value in read.items() if name in names} or read
        old, new = (found.get((version, example_id), ("", "")) for version in versions)
        out.append(
            Changed(
                example_id,
                float(gain),
                _asked(shown),
                _expected(example),
                (old[0], new[0]),
                (old[1], new[1]),
            )
        )
    return out


def _asked(inputs: Mapping[str, Any]) -> str:
    if len(inputs) == 1:
        return without_data(str(next(iter(inputs.values()))))[:_TEXT]
    return without_data("\n".join(f"{name}: {value}" for name, value in inputs.items()))[:_TEXT]


def _expected(example: Example | None) -> str:
    return "" if example is None or example.expected is None else _text(example.expected)


def _text(value: object) -> str:
    if value is None:
        return ""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_TEXT]
