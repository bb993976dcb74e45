"""The answers of a recorded study with their scores, one value per cell, as the writers of other
tools' formats take them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dataset.example import Example
from ..errors import StudyError
from ..run import Run
from ..score import Score
from ..study.queries.outcomes import cells_of, scores_frame
from ..study.queries.recorded_runs import runs_of
from ..version import PromptVersion

if TYPE_CHECKING:
    from ..study.recorded_study import RecordedStudy

__all__ = ["Recorded", "RecordedCell", "recorded_cells"]


@dataclass(frozen=True, slots=True)
class RecordedCell:
    """One answer. arm: its label; scores: by the name that they are recorded under; judged: the
    names of those that a model gave.
    """

    arm: str
    example: Example
    repeat: int
    run: Run
    scores: Mapping[str, Score]
    judged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A study as its writers see it. arms: label -> the version, None if only its answers are
    known.
    """

    id: str
    name: str
    prompt: str
    dataset: str
    arms: Mapping[str, PromptVersion | None]
    cells: tuple[RecordedCell, ...]


def recorded_cells(study: RecordedStudy) -> Recorded:
    """The whole of a study, by example, arm and repeat.

    Raises StudyError if it has no answer yet.
    """
    store, record = study.project.store, study.record
    own = [(scorer.name, scorer.version) for scorer in record.scorers]
    found: dict[tuple[str, str, int], dict[str, Score]] = {}
    for row in scores_frame(store, record.id, own, 10**9).itertuples():
        place = str(row.arm), str(row.example_id), int(str(row.repeat))
        found.setdefault(place, {})[str(row.scorer)] = Score(
            _number(row.value),
            _flag(row.passed),
            reason=_text(row.reason),
            unscored=_text(row.unscored) or None,
        )
    decides_first = dict.fromkeys([record.primary, *(name for name, _ in own)])
    places = {name: place for place, name in enumerate(decides_first)}

    def place_of(name: str) -> tuple[int, str]:
        return places.get(name, places.get(_whole(name), len(places))), name

    found = {key: {n: by[n] for n in sorted(by, key=place_of)} for key, by in found.items()}
    judges = {scorer.name for scorer in record.scorers if scorer.kind == "judge"}
    judged = {
        place: tuple(name for name in scores if name in judges or _whole(name) in judges)
        for place, scores in found.items()
    }
    links = cells_of(store, record.id)
    runs = {run.id: run for part in runs_of(store, {link[3] for link in links}) for run in part}
    examples = {example.id: example for example in study.dataset}
    cells = tuple(
        RecordedCell(
            arm, examples[id_], repeat, runs[run], found.get(place, {}), judged.get(place, ())
        )
        for arm, id_, repeat, run in links
        for place in [(arm, id_, repeat)]
        if run in runs and id_ in examples
    )
    if not cells:
        raise StudyError(f"the study {record.name!r} has no answer to write; run it first.")
    arms = {arm.label: study.version_of(arm.version) for arm in record.arms}
    return Recorded(record.id, record.name, record.prompt, record.dataset.name, arms, cells)


def _whole(name: str) -> str:
    """The scorer's name, of a score that is a part of it ("accuracy/tone")."""
    return name.rpartition("/")[0]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value == value else None


def _flag(value: object) -> bool | None:
    """True and false of a column that may hold neither."""
    return {"True": True, "False": False}.get(str(value))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
