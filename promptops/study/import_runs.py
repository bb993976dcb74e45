"""Outputs made elsewhere, kept as runs: a table of answers becomes a study that can be scored,
compared and reported.

Imported twice, a table is there once: ids are made from content. Nothing is asked, and nothing
unknown is invented.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..engine.scorer_needs import check_needs
from ..errors import StudyError
from ..models.recorded import COLUMNS, columns_of, sample_numbers
from ..run import utc
from ..store.recorder import outside
from .answer_columns import answer_columns, as_judged
from .design import as_version, split_of
from .import_table import (
    by_model,
    checked_amounts,
    content_digest,
    odd_rows,
    of_examples,
    score_cells,
    score_columns,
    score_scorers,
    with_answers,
)
from .imported_rows import ImportedArm, ImportedRows, outputs_id
from .preflight import checked_scorers
from .recorded_study import RecordedStudy, find_study
from .records import keep_dataset, keep_study, keep_version, load_dataset
from .rescore import score_study
from .study_record import ArmRecord, DatasetRef, ScorerRef, StudyRecord

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..scorers.case import Scorer
    from .plan import Plan
    from .project import Project

__all__ = ["Columns", "import_runs"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table hold what, and which prompts its version labels mean.

    sample: the number of an output among several of one example; versions: label -> PromptVersion
    or saved version, for labels whose prompt is known; prompt: the name that the versions belong
    to; name: of the study; scores: columns of scores that were given elsewhere (or name -> column),
    which become scorers after those that are passed; plan: whose split, scorers and finalists the
    import follows, so that only its rows are taken in.
    """

    example: str = "example_id"
    version: str = "version"
    output: str = "output"
    sample: str | None = None
    versions: Mapping[str, Any] | None = None
    prompt: str = ""
    name: str | None = None
    scores: Mapping[str, str] | Sequence[str] = ()
    plan: Plan | None = None


def import_runs(
    project: Project, table: Any, dataset: Dataset, scorers: Sequence[object], **columns: Any
) -> RecordedStudy:
    """See Lab.import_runs.

    Raises StudyError for a row whose example the dataset does not have, naming it.
    """
    where = Columns(**columns)
    if isinstance(table, (str, bytes, Mapping)) or not hasattr(table, "__iter__"):
        raise StudyError(
            f"table is of type {type(table).__name__}; expected a DataFrame or a list of dicts, one"
            " row per output, as from pd.read_csv(path)."
        )
    rows = table if hasattr(table, "columns") else [dict(row) for row in table]
    scores = score_cells(rows, where.scores)
    rows = with_answers(rows, where.output) if scores else rows
    cells, versions = by_model(_cells(rows, where, dataset), where.versions)
    ids = project.store.identifiers([str(value) for value in cells["example"]])
    cells = {**cells, "example": [*ids]}
    checked_amounts(cells)
    if where.plan is not None:
        dataset, scorers, _ = where.plan.follow(dataset, scorers, 1)
        cells, scores = of_examples(dataset, cells, scores)
    arms = _arms(cells, replace(where, versions=versions))
    places = _places(cells, arms, dataset)
    given = score_scorers(scores, places, {label: arm.id for label, arm in arms.items()})
    checked = [*checked_scorers(scorers), *given]
    lacking = check_needs(checked, as_judged(dataset, cells))
    for sentence in filter(None, (*odd_rows(cells), *lacking)):
        warnings.warn(sentence, stacklevel=outside())
    scored_alone = bool(given) and all(output is None for output in cells["output"])
    imported = ImportedRows(cells, places, arms, where.prompt, failed=not scored_alone)
    record = _record(imported, where, dataset, checked)
    store = project.store
    keep_dataset(store, dataset, project.root)
    if keep_study(store, record, project.author, None):
        for arm in arms.values():
            if arm.version is not None:
                keep_version(store, arm.version, prompt=where.prompt, label=arm.label)
        imported.write(store, record.id, load_dataset(store, dataset.fingerprint, project.root))
    study = find_study(project, record.id)
    score_study(study, dataset, checked)
    return study


def _record(
    imported: ImportedRows, where: Columns, dataset: Dataset, scorers: Sequence[Scorer]
) -> StudyRecord:
    """What the study is; its id is made from what was imported, and how it is judged."""
    content = {
        "imported": content_digest(imported.cells),
        "dataset": dataset.fingerprint,
        "scorers": [[s.name, s.version] for s in scorers],
        "prompt": where.prompt,
        **({"plan": where.plan.id} if where.plan is not None else {}),  # another plan, other study
    }
    identity = tagged("s1", content)
    places = imported.places
    return StudyRecord(
        identity,
        where.name or f"{where.prompt or 'imported'}-{identity[3:9]}",
        where.prompt,
        tuple(
            ArmRecord(arm.id, arm.label, arm.model, "imported", where.prompt, arm.number)
            for arm in imported.arms.values()
        ),
        DatasetRef(dataset.fingerprint, dataset.name, len({place[0] for place in places})),
        tuple(ScorerRef.of(scorer) for scorer in scorers),
        max((place[1] for place in places), default=0) + 1,
        split_of(dataset),
        where.plan.id if where.plan is not None else None,
        imported=True,
        created=utc(),
        named=(where.plan.policy.primary or "") if where.plan is not None else "",
    )


def _cells(rows: Any, where: Columns, dataset: Dataset) -> dict[str, list[Any]]:
    """The known columns of the table, and "columns": what else each row holds, if anything."""
    cells = columns_of(_renamed(rows, where))
    known = {where.example, where.version, where.output, where.sample, *COLUMNS}
    known |= set(score_columns(where.scores).values())
    return cells | answer_columns(rows, dataset, cells["example"], known)


def _renamed(table: Any, where: Columns) -> object:
    """The table with the columns that `columns_of` knows.

    Raises StudyError if a named column is not there.
    """
    names = {where.example: "example", where.version: "version", where.output: "output"}
    if where.sample is not None:
        names[where.sample] = "sample"
    if hasattr(table, "rename") and hasattr(table, "columns"):
        present = [str(name) for name in table.columns]
        _need(names, present)
        clash = [name for name in names.values() if name in present and name not in names]
        return table.drop(columns=clash).rename(columns=names)
    rows = [dict(row) for row in table]
    _need(names, list(rows[0]) if rows else list(names))
    return [
        {
            names.get(key, key): value
            for key, value in row.items()
            if key in names or key not in names.values()
        }
        for row in rows
    ]


def _need(names: Mapping[str, str], present: Sequence[str]) -> None:
    for column, role in names.items():
        if column not in present and role != "version":
            raise StudyError(
                f"the table has no column {column!r}; it has {', '.join(present)}: name the one"
                f' that is meant, as in {role}="{present[0] if present else "..."}".'
            )


def _arms(cells: Mapping[str, list[object]], where: Columns) -> dict[str, ImportedArm]:
    """label -> arm, in order of appearance.

    A label without a known prompt gets an id of its own.
    """
    known = dict(where.versions or {})
    arms: dict[str, ImportedArm] = {}
    for label in dict.fromkeys(map(str, cells.get("version") or ["outputs"])):
        if label in known:
            version, _, number, _ = as_version(known[label])
            arms[label] = ImportedArm(label, version.id, version, number)
        else:
            arms[label] = ImportedArm(label, outputs_id(where.prompt, label), None, None)
    idle = sorted(set(known) - set(arms))
    if idle:
        raise StudyError(
            f"versions names {idle[0]!r}, which is not a version of the table; it has"
            f" {', '.join(arms)}."
        )
    return arms


def _places(
    cells: Mapping[str, list[object]], arms: Mapping[str, ImportedArm], dataset: Dataset
) -> list[tuple[str, int, str]]:
    """(example id, repeat, label) of each row.

    Raises StudyError for an unknown example, or a sample that occurs twice.
    """
    examples = [str(value) for value in cells["example"]]
    known = {example.id for example in dataset}
    strange = [example for example in examples if example not in known]
    if strange:
        raise StudyError(
            f"{len(strange):,} of {len(examples):,} rows are of examples that the dataset does not"
            f" have (first: {strange[0]!r}); its ids look like {next(iter(known))!r}."
        )
    labels = [str(value) for value in cells.get("version") or ["outputs"] * len(examples)]
    numbers = sample_numbers(cells["sample"]) if "sample" in cells else None
    places, seen = [], dict[tuple[str, str], int]()
    taken: set[tuple[str, int, str]] = set()
    for row, (example, label) in enumerate(zip(examples, labels, strict=True)):
        count = seen.get((example, label), 0)
        seen[example, label] = count + 1
        place = (example, count if numbers is None else numbers[row], label)
        if place in taken:
            raise StudyError(
                f"row {row} is sample {place[1]} of example {example!r}, version {label!r}, for the"
                " second time; number its samples apart."
            )
        taken.add(place)
        places.append(place)
    return places
