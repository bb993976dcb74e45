"""Recorded answers judged again: by other scorers, or by those that an earlier pass left out,
without a call of the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ..canonical import tagged
from ..garbage import collecting_rarely
from ..models.foreign import told
from ..run import utc
from ..scorers.case import Case
from ..store.recorder import outside
from .ask import Asker
from .design import as_dataset
from .preflight import checked_scorers
from .queries.recorded_runs import places_of, runs_where
from .queries.studies import created_of
from .recorded_study import RecordedStudy
from .records import keep_dataset, keep_study
from .score_study import Place, StudyScoring, judged
from .study_record import DatasetRef, ScorerRef, StudyRecord

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..scorers.case import Scorer
    from ..store import Store

__all__ = ["Elsewhere", "rescore", "score_study"]

_Row = tuple[
    str, str, str, int, str, bool
]  # arm, version, example, repeat, run; whether it is an answer that can be judged


class Elsewhere(Protocol):
    """Judges cases on other hosts."""

    def check_scorers(self, scorers: Sequence[Scorer]) -> None:
        """Raises if they cannot judge there."""
        ...

    def score(self, cases: Sequence[Case], scorers: Sequence[Scorer]) -> Iterator[dict[str, Any]]:
        """Columns of the table `scores`, part by part."""
        ...


@collecting_rarely()
def rescore(
    study: RecordedStudy,
    scorers: Sequence[object],
    dataset: object = None,
    elsewhere: Elsewhere | None = None,
) -> RecordedStudy:
    """The same answers judged by other scorers, without a call of the model.

    Args:
        study: whose recorded answers are judged.
        scorers: the first is the primary.
        dataset: where golden answers were corrected since; None: the study's own.
        elsewhere: who judges; None: this process.

    Returns:
        A study of its own over the same runs.
    """
    project = study.project
    data = (
        _examples_of(study) if dataset is None else as_dataset(dataset, project.store, project.root)
    )
    checked = checked_scorers(scorers)
    if elsewhere is not None:
        elsewhere.check_scorers(checked)
    again = RecordedStudy(project, _record(study, data, checked))
    keep_dataset(project.store, data, project.root)
    rows = places_of(project.store, study.id)
    lacking = _lacking(again, data, checked, rows)
    if keep_study(project.store, again.record, project.author, project.provenance()):
        _copy_places(project.store, again.id, rows, data)
    _score(again, data, checked, lacking, elsewhere)
    return again


def _examples_of(study: RecordedStudy) -> Dataset:
    """The study's examples: those of this process's own pass need not be read again."""
    running = study.running
    if running is not None and running.dataset.fingerprint == study.record.dataset.fingerprint:
        return running.dataset
    return study.dataset


def _record(study: RecordedStudy, data: Dataset, scorers: Sequence[Scorer]) -> StudyRecord:
    identity = tagged(
        "s1",
        {
            "rescored": study.id,
            "dataset": data.fingerprint,
            "scorers": [[s.name, s.version] for s in scorers],
        },
    )
    return replace(
        study.record,
        id=identity,
        name=f"{study.name}-rescored-{identity[3:7]}",
        scorers=tuple(ScorerRef.of(scorer) for scorer in scorers),
        dataset=DatasetRef(data.fingerprint, data.name, len(data)),
        rescored=study.id,
        created=created_of(study.project.store, identity) or utc(),
    )


def _copy_places(store: Store, study: str, rows: Sequence[_Row], data: Dataset) -> None:
    """The same runs at the same places of another study, as far as its dataset has the examples."""
    prints = {example.id: example.fingerprint for example in data}
    held = [row for row in rows if row[2] in prints]
    if held:
        arms, versions, examples, repeats, runs, _ = map(list, zip(*held, strict=True))
        columns = {
            "arm": arms,
            "version_id": versions,
            "example_id": examples,
            "repeat": repeats,
            "run_id": runs,
        }
        shared = {
            "study_id": study,
            "example_fingerprint": [prints[id] for id in examples],
            "reused": True,
        }
        store.append_columns("study_runs", {**columns, **shared})


@collecting_rarely()
def score_study(study: RecordedStudy, dataset: Dataset, scorers: Sequence[Scorer]) -> None:
    """Score what a study's recorded runs lack, wait for it, and note that it is done."""
    _score(
        study,
        dataset,
        scorers,
        _lacking(study, dataset, scorers, places_of(study.project.store, study.id)),
    )


def _lacking(
    study: RecordedStudy, dataset: Dataset, scorers: Sequence[Scorer], rows: Sequence[_Row]
) -> dict[str, tuple[Place, ...]]:
    """Run -> its places, of the answers that a scorer has not judged yet."""
    arms = {arm.version: index for index, arm in enumerate(study.record.arms)}
    examples = {example.id: index for index, example in enumerate(dataset)}
    answered = [row for row in rows if row[5] and row[2] in examples]
    have = judged(study.project.store, [row[4] for row in answered], scorers)
    # tuples of tuples: unlike lists, the garbage collector need not look at them again and again
    places: dict[str, tuple[Place, ...]] = {}
    for _, version, id, repeat, run, _ in answered:
        example = examples[id]
        if have.lacks(run, dataset.examples[example]):
            places[run] = (*places.get(run, ()), (arms[version], example, repeat))
    return places


def _score(
    study: RecordedStudy,
    dataset: Dataset,
    scorers: Sequence[Scorer],
    places: Mapping[str, Sequence[Place]],
    elsewhere: Elsewhere | None = None,
) -> None:
    if not places:
        return
    project = study.project
    marking = StudyScoring(
        project.store, dataset, scorers, ask=Asker(project, project.limits()).ask
    )

    def note(event: str, detail: str) -> None:
        row = {"study_id": study.id, "event_at": utc(), "event": event, "detail": detail}
        project.store.append("study_events", [row])

    note("started", "")
    try:
        if elsewhere is not None:
            for columns in elsewhere.score(_cases(project.store, dataset, places), scorers):
                project.store.append_columns("scores", columns)
        else:
            marking.take_recorded(places, fresh=False)  # the places were read with their runs
            project.loop.finish(marking.finish())
    except BaseException as error:
        note("stopped", told(error))
        raise
    note("stopped" if marking.short else "finished", marking.short or "scored")
    if marking.short:
        warnings.warn(
            f"{study.name} stopped: {marking.short} Run the cell again to ask for what is missing.",
            stacklevel=outside(),
        )


def _cases(store: Store, dataset: Dataset, places: Mapping[str, Sequence[Place]]) -> list[Case]:
    """Each answer once per content of its example."""
    runs = runs_where(store, "r.id in (select unnest(?))", [sorted(places)])
    return [
        Case(run.output or "", example, run)
        for run in runs
        for example in {
            example.fingerprint: example
            for example in (dataset[place[1]] for place in places[run.id])
        }.values()
    ]
