"""A table that somebody already has, as examples and two arms of cells: wide (one column per arm)
or long (one row per answer).

An empty cell is an answer that never came: it stays, unscored, and is counted. Columns that had to
be guessed are named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..dataset import Dataset, Example
from ..dataset.example import RESERVED
from ..dataset.opening import open_source
from ..errors import StudyError
from ..markup import shorten
from .answer_columns import varying

__all__ = ["Cells", "AnswerTable", "read_table"]

Cells = Mapping[
    str, Mapping[str, Sequence[Any]]
]  # arm -> example id -> its answers (None: none came), one per repeat

_OUTPUTS = ("output", "answer", "response", "completion", "prediction", "text", "score")
_IDS = ("id", "example_id", "example", "question_id", "qid", "row_id")
_TOLD = frozenset(
    (*RESERVED, *_IDS, "gold", "golden", "target", "label", "reference", "tag", "topic", "group")
)  # no inputs by themselves
_VERSIONS = ("version", "model", "prompt", "variant", "arm", "system")


@dataclass(frozen=True, slots=True)
class AnswerTable:
    """dataset: the examples; cells: what each arm answered, an example that an arm was not asked
    being absent there; columns: likewise, the columns that belong to the answers of a long table.
    """

    dataset: Dataset
    cells: Cells
    columns: Cells = field(default_factory=dict)

    def columns_of(self, arm: str, example: str, repeat: int) -> dict[str, object]:
        """What the table holds beside one answer."""
        rows = self.columns.get(arm, {}).get(example, ())
        return dict(rows[repeat]) if rows else {}

    def as_judged(self) -> list[Example]:
        """The examples with every column that some answer of theirs has, as scorers read them."""
        found: dict[str, dict[str, Any]] = {}
        for by_example in self.columns.values():
            for example, rows in by_example.items():
                for row in rows:
                    found.setdefault(example, {}).update(row)
        return [example.beside(found.get(example.id, {})) for example in self.dataset]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is compared: the two arms, and the columns that hold what. version: None in a wide
    table; columns: by their role (output, id, tags, cluster).
    """

    arms: tuple[str, str]
    version: str | None
    expected: str | None
    columns: Mapping[str, str]


def read_table(
    table: object,
    a: str,
    b: str,
    *,
    version: str | None,
    expected: str | None,
    columns: Mapping[str, str],
    notes: list[str],
) -> AnswerTable:
    """The table's examples and the two arms.

    Raises StudyError or DatasetError, which name the columns there are.
    """
    if a == b:
        raise StudyError(
            f"{a!r} cannot be compared with itself; name two different columns (or versions) as"
            " baseline= and candidate=."
        )
    rows = _rows(table)
    if not rows:
        raise StudyError("the table has no rows; there is nothing to compare.")
    names = list(dict.fromkeys(name for row in rows for name in row))
    if version is None and not {a, b} <= set(names):
        version = _version_column(rows, names, a, b, notes)
    _need(names, version, expected, *columns.values())
    wanted = _Wanted((a, b), version, expected, columns)
    return _wide(rows, wanted) if version is None else _long(rows, names, wanted, notes)


def _rows(table: Any) -> list[dict[str, object]]:
    """The table's rows, read like a dataset; a blank cell of a text file is None, for there a blank
    is all there is.
    """
    if isinstance(table, (list, tuple)) and not table:
        return []
    rows = [dict(row) for _, row in open_source(table).rows]
    if isinstance(table, (str, Path)) and Path(table).suffix.lower() in (
        ".csv",
        ".tsv",
        ".tab",
        ".txt",
    ):
        return [{name: None if cell == "" else cell for name, cell in row.items()} for row in rows]
    return [{name: None if cell != cell else cell for name, cell in row.items()} for row in rows]


def _need(names: Sequence[str], *wanted: str | None) -> None:
    for name in wanted:
        if name is not None and name not in names:
            raise StudyError(
                f"the table has no column {name!r}; its columns are"
                f" {', '.join(map(repr, names[:20]))}."
            )


def _version_column(
    rows: Sequence[Mapping[str, object]], names: Sequence[str], a: str, b: str, notes: list[str]
) -> str:
    """The column of a long table that holds both labels. Raises StudyError if it does not exist."""
    holding = [name for name in names if {a, b} <= {str(row.get(name)) for row in rows}]
    found = next((name for name in _VERSIONS if name in holding), holding[0] if holding else None)
    if found is None:
        missing = [name for name in (a, b) if name not in names]
        raise StudyError(
            f"the table has no column {missing[0]!r}; its columns are"
            f" {', '.join(map(repr, names[:20]))}; in a long table name the column of the versions,"
            " as in version='model'."
        )
    notes.append(f"Long table: the versions are in the column {found!r}.")
    return found


def _wide(rows: list[dict[str, object]], wanted: _Wanted) -> AnswerTable:
    kept = [{key: value for key, value in row.items() if key not in wanted.arms} for row in rows]
    data = _dataset(kept, wanted.expected, wanted.columns)
    cells = {
        arm: {example.id: [row.get(arm)] for example, row in zip(data, rows, strict=True)}
        for arm in wanted.arms
    }
    return AnswerTable(data, cells)


def _long(
    rows: list[dict[str, object]], names: Sequence[str], wanted: _Wanted, notes: list[str]
) -> AnswerTable:
    version, expected, columns = wanted.version or "", wanted.expected, wanted.columns
    output = columns.get("output") or _guess(names, _OUTPUTS, "output", notes)
    example = columns.get("id") or _guess(names, _IDS, "id", notes)
    cells: dict[str, dict[str, list[object]]] = {arm: {} for arm in wanted.arms}
    beside: dict[str, dict[str, list[object]]] = {arm: {} for arm in wanted.arms}
    heads: dict[str, dict[str, object]] = {}
    taken = (version, output, example, expected, *columns.values())
    own = _own([row for row in rows if str(row.get(version)) in cells], example, taken)
    for place, row in enumerate(rows, 1):
        label = str(row.get(version))
        if label in cells:
            if row.get(example) in (None, ""):
                raise StudyError(
                    f"row {place} of the table has no {example!r}; give each row the id of its"
                    " example, which pairs the answers of the two."
                )
            name = str(row.get(example))
            cells[label].setdefault(name, []).append(row.get(output))
            beside[label].setdefault(name, []).append(
                {key: row[key] for key in own if row.get(key) is not None}
            )
            gone = (version, output, *own)
            head = heads.setdefault(name, {example: name})
            for key, value in row.items():
                if key not in gone and (key not in head or head[key] is None):
                    head[key] = value
    for label, found in cells.items():
        if not found:
            seen = sorted({str(row.get(version)) for row in rows})
            raise StudyError(
                f"no row has {label!r} in the column {version!r}; it holds"
                f" {', '.join(map(repr, seen[:8]))}."
            )
    rest = {role: column for role, column in columns.items() if role != "output"} | {"id": example}
    data = _dataset(list(heads.values()), expected, rest)
    _check_one_golden(rows, wanted, example, data)
    return AnswerTable(data, cells, beside if own else {})


def _check_one_golden(
    rows: list[dict[str, object]], wanted: _Wanted, example: str, data: Dataset
) -> None:
    """Raises StudyError if an id has two golden answers: it is of two examples, and the answers to
    one would be judged by the golden answer of the other.
    """
    column = next((name for name, role in data.roles.items() if role == "expected"), None)
    met: dict[str, object] = {}
    for row in rows:
        golden = row.get(column) if column is not None else None
        if golden is None or str(row.get(wanted.version or "")) not in wanted.arms:
            continue
        name = str(row.get(example))
        if met.setdefault(name, golden) != golden:
            raise StudyError(
                f"the example {name!r} has two golden answers in the column {column!r}:"
                f" {shorten(repr(met[name]), 40)} and {shorten(repr(golden), 40)}; give each"
                f" example an id of its own in {example!r}, or write its admissible answers as one"
                " list."
            )


def _own(
    rows: Sequence[Mapping[str, object]], example: str, taken: Collection[str | None]
) -> list[str]:
    """The columns that belong to the answers: some example has two values of each."""
    names = dict.fromkeys(name for row in rows for name in row)
    ids = [row.get(example) for row in rows]
    return [
        name
        for name in names
        if name not in taken
        and name.casefold() not in _TOLD
        and varying(ids, [row.get(name) for row in rows])
    ]


def _guess(names: Sequence[str], likely: Sequence[str], role: str, notes: list[str]) -> str:
    for name in likely:
        if name in names:
            if name != role:
                notes.append(f"The {role}s are in the column {name!r}.")
            return name
    raise StudyError(
        f'the column of the {role}s is not named; pass {role}="..." (one of'
        f" {', '.join(map(repr, names[:20]))})."
    )


def _dataset(
    rows: list[dict[str, object]], expected: str | None, columns: Mapping[str, str]
) -> Dataset:
    """The examples; rows with nothing but a golden answer are distinguished by their number."""
    used = {expected, *columns.values()}
    bare = not any(key not in used and key.casefold() not in _TOLD for row in rows for key in row)
    wide = [{**row, "row": str(index + 1)} for index, row in enumerate(rows)] if bare else rows
    if "id" not in columns and not any("id" in row for row in wide):
        wide = [{"id": f"row-{index + 1}", **row} for index, row in enumerate(wide)]
    return Dataset.read(
        wide,
        expected=expected,
        name="table",
        **{role: column for role, column in columns.items() if role != "output"},
    )
