"""Outputs made elsewhere, kept as runs: a table of answers becomes a study that can be scored,
compared and reported.

Imported twice, a table is there once: ids are made from content. Nothing is asked, and nothing
unknown is invented.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..engine.scorer_needs import check_needs
from ..errors import StudyError
from ..failure_classes import FAILURES
from ..models.recorded import COLUMNS, columns_of, sample_numbers
from ..run import utc
from ..store.recorder import outside
from ..version import PromptVersion
from .answer_columns import answer_columns, as_judged
from .design import as_version, split_of
from .import_table import (
    by_model,
    checked_amounts,
    content_digest,
    failure_of,
    odd_rows,
    of_examples,
    score_cells,
    score_columns,
    score_scorers,
    with_answers,
)
from .preflight import checked_scorers
from .recorded_study import RecordedStudy, find_study
from .records import keep_dataset, keep_study, keep_version, load_dataset
from .rescore import score_study
from .study_record import ArmRecord, DatasetRef, ScorerRef, StudyRecord

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..store import Store
    from .plan import Plan
    from .project import Project

__all__ = ["Columns", "import_runs", "outputs_id"]

_CHUNK = 5_000  # rows written at a time
_KEPT = (
    *("model", "failure", "finish_reason", "tokens_in", "tokens_out", "cost_usd", "latency_ms"),
    "started_at",
)


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


def outputs_id(prompt: str, label: str) -> str:
    """The id in the place of the version of imported outputs whose prompt is not known."""
    return tagged("x1", [prompt, label])


@dataclass(frozen=True, slots=True)
class _Arm:
    label: str
    id: str
    version: PromptVersion | None
    number: int | None


def import_runs(
    project: Project, table: Any, dataset: Dataset, scorers: Sequence[object], **columns: Any
) -> RecordedStudy:
    """See Lab.import_runs.

    Raises StudyError for a row whose example the dataset does not have, naming it.
    """
    where = Columns(**columns)
    rows = table if hasattr(table, "columns") else [dict(row) for row in table]
    scores = score_cells(rows, where.scores)
    rows = with_answers(rows, where.output) if scores else rows
    cells, versions = by_model(_cells(rows, where, dataset), where.versions)
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
    content = {
        "imported": content_digest(cells),
        "dataset": dataset.fingerprint,
        "scorers": [[s.name, s.version] for s in checked],
        "prompt": where.prompt,
        **({"plan": where.plan.id} if where.plan is not None else {}),  # another plan, other study
    }
    identity = tagged("s1", content)
    repeats = max((place[1] for place in places), default=0) + 1
    record = StudyRecord(
        identity,
        where.name or f"{where.prompt or 'imported'}-{identity[3:9]}",
        where.prompt,
        tuple(
            ArmRecord(arm.id, arm.label, _model(arm), "imported", where.prompt, arm.number)
            for arm in arms.values()
        ),
        DatasetRef(dataset.fingerprint, dataset.name, len({place[0] for place in places})),
        tuple(ScorerRef.of(scorer) for scorer in checked),
        repeats,
        split_of(dataset),
        where.plan.id if where.plan is not None else None,
        imported=True,
        created=utc(),
        named=(where.plan.policy.primary or "") if where.plan is not None else "",
    )
    store = project.store
    keep_dataset(store, dataset, project.root)
    if keep_study(store, record, project.author, None):
        for arm in arms.values():
            if arm.version is not None:
                keep_version(store, arm.version, prompt=where.prompt, label=arm.label)
        recorded = load_dataset(store, dataset.fingerprint, project.root)
        scored_alone = bool(given) and all(output is None for output in cells["output"])
        _write(store, record, cells, places, arms, recorded, failed=not scored_alone)
    study = find_study(project, identity)
    score_study(study, dataset, checked)
    return study


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


def _arms(cells: Mapping[str, list[object]], where: Columns) -> dict[str, _Arm]:
    """label -> arm, in order of appearance.

    A label without a known prompt gets an id of its own.
    """
    known = dict(where.versions or {})
    arms: dict[str, _Arm] = {}
    for label in dict.fromkeys(map(str, cells.get("version") or ["outputs"])):
        if label in known:
            version, _, number, _ = as_version(known[label])
            arms[label] = _Arm(label, version.id, version, number)
        else:
            arms[label] = _Arm(label, outputs_id(where.prompt, label), None, None)
    idle = sorted(set(known) - set(arms))
    if idle:
        raise StudyError(
            f"versions names {idle[0]!r}, which is not a version of the table; it has"
            f" {', '.join(arms)}."
        )
    return arms


def _places(
    cells: Mapping[str, list[object]], arms: Mapping[str, _Arm], dataset: Dataset
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


def _write(
    store: Store,
    study: StudyRecord,
    cells: Mapping[str, list[object]],
    places: Sequence[tuple[str, int, str]],
    arms: Mapping[str, _Arm],
    dataset: Dataset,
    *,
    failed: bool = True,
) -> None:
    """failed: whether a missing output is a failure; a table of scores alone has none to keep."""
    prints = {example.id: example.fingerprint for example in dataset}
    began = utc()
    for start in range(0, len(places), _CHUNK):
        runs, links = [], []
        for row in range(start, min(start + _CHUNK, len(places))):
            example, repeat, label = places[row]
            arm = arms[label]
            run = _run(cells, row, example, repeat, arm, study.prompt, prints[example], began)
            if not failed and run["failure"] == "internal":
                run["failure"] = None
            runs.append(run)
            links.append(
                {
                    "study_id": study.id,
                    "arm": label,
                    "version_id": arm.id,
                    "example_id": example,
                    "example_fingerprint": prints[example],
                    "repeat": repeat,
                    "run_id": run["id"],
                    "reused": False,
                }
            )
        store.append("runs", runs)
        store.append("study_runs", links)


def _run(
    cells: Mapping[str, list[object]],
    row: int,
    example: str,
    repeat: int,
    arm: _Arm,
    prompt: str,
    fingerprint: str,
    began: str,
) -> dict[str, object]:
    def cell(name: str) -> Any:
        column = cells.get(name)
        return None if column is None else column[row]

    output = cell("output")
    text = None if output is None else str(output)
    failure = cell("failure") or failure_of(text)
    if failure is not None and failure not in FAILURES:
        raise StudyError(
            f"row {row} has the failure {failure!r}, which is not a failure class; the"
            f" classes are {', '.join(FAILURES)}."
        )
    kept = [cell(name) for name in _KEPT]  # all that is kept: other figures are another run
    columns = cell("columns") or ""
    body = f"{arm.id}\0{example}\0{fingerprint}\0{repeat}\0{text}\0{kept!r}{columns}"
    digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    return {
        "id": f"r-i{digest[:31]}",
        "key": f"i1:{digest[:32]}",
        "prompt": prompt,
        "version_id": arm.id,
        "model": str(cell("model") or _model(arm) or ""),
        "endpoint": "imported",
        "role": "imported",
        "example_id": example,
        "example_fingerprint": fingerprint,
        "repeat": repeat,
        "request": columns or "{}",
        "output": text,
        "finish_reason": cell("finish_reason"),
        "failure": failure,
        "tokens_in": _whole(cell("tokens_in")),
        "tokens_out": _whole(cell("tokens_out")),
        "cost_usd": cell("cost_usd"),
        "latency_ms": cell("latency_ms"),
        "attempts": 0,
        "started_at": cell("started_at") or began,
    }


def _model(arm: _Arm) -> str | None:
    return arm.version.model if arm.version is not None else None


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
