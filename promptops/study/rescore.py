"""Recorded answers judged again: by other scorers, or by those that an earlier pass left out, without a call of the model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..models.foreign import told
from ..run import utc
from .provenance import provenance
from .records import ANSWERED, OUTCOMES, keep_dataset, keep_study, load_dataset
from .score_study import Marking, Place, judged

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..lab.lab import Lab
    from ..lab.study import Study
    from ..scorers.case import Scorer

__all__ = ["rescore", "score_study"]

_Row = tuple[
    str, str, str, int, str, bool
]  # arm, version, example, repeat, run; whether it is an answer that can be judged


def rescore(study: Study, scorers: Sequence[Any], dataset: Any = None) -> Study:
    """The same answers judged by other scorers, without a call: a study of its own over the same runs."""
    from .preflight import checked_scorers

    lab = study._lab
    data = (
        lab._dataset(dataset)
        if dataset is not None
        else load_dataset(lab.store, study.config["dataset"]["fingerprint"], lab._root)
    )
    checked = checked_scorers(scorers)
    again = _study(study, data, checked)
    keep_dataset(lab.store, data, lab._root)
    rows = _rows(lab, study.id)
    lacking = _lacking(again, data, checked, rows)
    head = {"id": again.id, "name": again.name, "prompt": again.prompt, "config": again.config}
    where = provenance(lab._root)
    if keep_study(
        lab.store,
        {**head, "author": lab._author, "cell": where.cell, "git_commit": where.git_commit},
    ):
        _copy_places(lab, again.id, rows, data)
    _score(again, data, checked, lacking)
    return again


def _study(study: Study, data: Dataset, scorers: Sequence[Scorer]) -> Study:
    from ..lab.study import Study

    config = {
        **study.config,
        "scorers": [
            {"name": scorer.name, "version": scorer.version, "kind": scorer.kind}
            for scorer in scorers
        ],
        "dataset": {"fingerprint": data.fingerprint, "name": data.name, "n": len(data)},
        "rescored": study.id,
    }
    identity = tagged(
        "s1",
        {
            "rescored": study.id,
            "dataset": data.fingerprint,
            "scorers": [[s.name, s.version] for s in scorers],
        },
    )
    known = study._lab.store.rows("select created_at from studies where id = ?", [identity])
    created = str(known[0][0]) if known else utc()
    return Study(
        study._lab,
        identity,
        f"{study.name}-rescored-{identity[3:7]}",
        study.prompt,
        config,
        created=created,
    )


def _rows(lab: Lab, study: str) -> list[_Row]:
    found: list[Any] = lab.store.rows(
        f"select m.arm, m.version_id, m.example_id, m.repeat, m.run_id, r.id is not null and {ANSWERED} "
        "from study_runs m left join runs r on r.id = m.run_id where m.study_id = ?",
        [OUTCOMES, study],
    )
    return found


def _copy_places(lab: Lab, study: str, rows: Sequence[_Row], data: Dataset) -> None:
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
        lab.store.append_columns("study_runs", {**columns, **shared})


def score_study(study: Study, dataset: Dataset, scorers: Sequence[Scorer]) -> None:
    """Score what a study's recorded runs lack, wait for it, and note that it is done."""
    _score(study, dataset, scorers, _lacking(study, dataset, scorers, _rows(study._lab, study.id)))


def _lacking(
    study: Study, dataset: Dataset, scorers: Sequence[Scorer], rows: Sequence[_Row]
) -> dict[str, list[Place]]:
    """Run -> its places, of the answers that a scorer has not judged yet."""
    arms = {arm["version"]: index for index, arm in enumerate(study.config["arms"])}
    examples = {example.id: index for index, example in enumerate(dataset)}
    answered = [
        (row[4], (arms[row[1]], examples[row[2]], row[3]))
        for row in rows
        if row[5] and row[2] in examples
    ]
    have = judged(study._lab.store, [run for run, _ in answered], scorers)
    places: dict[str, list[Place]] = {}
    for run, place in answered:
        if have.lacks(run, dataset[place[1]]):
            places.setdefault(run, []).append(place)
    return places


def _score(
    study: Study, dataset: Dataset, scorers: Sequence[Scorer], places: Mapping[str, Sequence[Place]]
) -> None:
    if not places:
        return
    lab = study._lab
    marking = Marking(lab.store, dataset, scorers, ask=lab._desk.ask)

    def note(event: str, detail: str) -> None:
        lab.store.append(
            "study_events", [{"study_id": study.id, "at": utc(), "event": event, "detail": detail}]
        )

    note("started", "")
    try:
        marking.take_recorded(places)
        lab._loop.finish(marking.finish())
    except BaseException as error:
        note("stopped", told(error))
        raise
    note("stopped" if marking.short else "finished", marking.short or "scored")
    if marking.short:
        warnings.warn(
            f"{study.name} stopped: {marking.short} Run the cell again to ask for what is missing.",
            stacklevel=4,
        )
