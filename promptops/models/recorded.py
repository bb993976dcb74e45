"""Answers from a table of recorded outputs: a study of what a model reported once, without asking
it again.

Nothing is invented: a cell of the table that is missing is an error that names example, version and
repeat. Repeat k of a call gets sample k of its example, counted from 0. Nothing is sent anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import CallError, SetupError
from ..failure_classes import FAILURES
from .protocol import Call, Reply

__all__ = ["COLUMNS", "RecordedModel", "columns_of", "plain_cell", "sample_numbers"]

COLUMNS = (
    "example",
    "version",
    "sample",
    "output",
    "tokens_in",
    "tokens_out",
    "cost_usd",
    "latency_ms",
    "model",
    "finish_reason",
    "failure",
    "started_at",
)
_ANY = ""  # the version of a table without that column


class RecordedModel:
    """Answers from recorded outputs; not an LLM.

    table: a DataFrame or an iterable of dicts with the columns ``example`` (the example's id) and
    ``output``, and, where known, ``version``, ``sample`` (an integer; else the order of
    appearance), ``tokens_in``, ``tokens_out``, ``cost_usd``, ``latency_ms``, ``model``,
    ``finish_reason``, ``failure`` (a class of `FAILURES`). A version is named by its id, or by
    a label that `versions` maps to it (a PromptVersion, a saved one, or an id). A recorded latency
    comes back as the reply's header ``recorded-latency-ms``. A table whose samples are counted from
    1 is read as if counted from 0. Raises SetupError if a column is missing, or a sample is not
    a number or occurs twice.
    """

    def __init__(
        self,
        table: object,
        label: str = "recorded",
        *,
        versions: Mapping[str, object] | None = None,
    ) -> None:
        self._label = label
        self._columns = columns_of(table)
        self._aliases = {
            getattr(version, "id", version): name for name, version in (versions or {}).items()
        }
        self._versioned = "version" in self._columns
        self._rows = self._index()

    @property
    def label(self) -> str:
        return self._label

    @property
    def remote(self) -> bool:
        return False

    def __len__(self) -> int:
        """How many recorded outputs there are."""
        return len(self._columns["output"])

    async def complete(self, call: Call) -> Reply:
        """The recorded output of the call's example, version and repeat.

        Raises CallError of class internal if the table has none, or of the recorded class if
        the recorded call failed for a reason that was not the model's.
        """
        example, version = call.example_id, self._named(call)
        row = self._rows.get((example or "", version), {}).get(call.repeat)
        if row is None:
            raise CallError(self._missing(example, version, call.repeat), failure="internal")
        reply = self._reply(row)
        if reply.failure and FAILURES[reply.failure] != "outcome":
            raise CallError(
                f"the recorded call of example {example!r} failed with {reply.failure}.",
                failure=reply.failure,
            )
        if call.on_token and reply.text:
            call.on_token(reply.text)
        return reply

    def check(self, request: Mapping[str, object]) -> None:
        """Raises SetupError if the table holds no rows at all."""
        if not len(self):
            raise SetupError(
                f"the recording {self._label!r} has no rows; pass a table with the columns example"
                " and output."
            )

    async def aclose(self) -> None:
        """Closes nothing: no connection stays open."""

    def _index(self) -> dict[tuple[str, str], dict[int, int]]:
        """(example, version) -> sample number from 0 -> row."""
        columns = self._columns
        examples = columns["example"]
        versions = columns.get("version") or [_ANY] * len(examples)
        samples = sample_numbers(columns["sample"]) if "sample" in columns else None
        rows: dict[tuple[str, str], dict[int, int]] = {}
        for row, (example, version) in enumerate(zip(examples, versions, strict=True)):
            found = rows.setdefault((str(example), str(version)), {})
            number = len(found) if samples is None else samples[row]
            if number in found:
                raise SetupError(
                    f"example {str(example)!r}{_of(str(version))} has sample {number} twice, in"
                    f" rows {found[number]} and {row}; number its samples apart."
                )
            found[number] = row
        for failure in {name for name in columns.get("failure") or () if name}:
            if failure not in FAILURES:
                raise SetupError(
                    f"the recorded failure {failure!r} is not a failure class; the"
                    f" classes are"
                    f" {', '.join(FAILURES)}."
                )
        return rows

    def _named(self, call: Call) -> str:
        if not self._versioned:
            return _ANY
        identity = call.version.id if call.version is not None else ""
        return str(self._aliases.get(identity, identity))

    def _reply(self, row: int) -> Reply:
        def cell(name: str) -> Any:
            column = self._columns.get(name)
            return None if column is None else column[row]

        output, latency, failure = cell("output"), cell("latency_ms"), cell("failure")
        text = None if output is None else str(output)
        return Reply(
            text=text,
            finish_reason=cell("finish_reason"),
            failure=failure or ("empty_output" if text is None else None),
            tokens_in=_whole(cell("tokens_in")),
            tokens_out=_whole(cell("tokens_out")),
            cost_usd=cell("cost_usd"),
            model=cell("model"),
            headers={} if latency is None else {"recorded-latency-ms": str(latency)},
        )

    def _missing(self, example: str | None, version: str, repeat: int) -> str:
        found = len(self._rows.get((example or "", version), ()))
        if example is None:
            return (
                f"the recording {self._label!r} answers for examples of a dataset only, and this"
                " call names none; evaluate a dataset with it."
            )
        if found:
            return (
                f"the recording {self._label!r} has {found} samples of example"
                f" {example!r}{_of(version)}, none for repeat {repeat}; ask for fewer repeats, or"
                " add the row."
            )
        known = ", ".join(sorted({name for _, name in self._rows})[:5])
        hint = (
            f"; its versions are {known}"
            if self._versioned and not any(name == version for _, name in self._rows)
            else ""
        )
        return (
            f"the recording {self._label!r} has no output of example {example!r}{_of(version)},"
            f" repeat {repeat}{hint}; add the row, or name the versions with versions={{...}}."
        )

    def __repr__(self) -> str:
        return (
            f"RecordedModel({self._label!r}, {len(self):,} recorded outputs of"
            f" {len({key[0] for key in self._rows}):,} examples; not an LLM)"
        )


def columns_of(table: object) -> dict[str, list[object]]:
    """The known columns as lists of plain values, missing cells None."""
    if hasattr(table, "columns") and hasattr(table, "__getitem__"):
        present = [str(name) for name in table.columns]
        columns = {name: _plain(table[name]) for name in COLUMNS if name in present}
    elif isinstance(table, Iterable) and not isinstance(table, (str, bytes, Mapping)):
        rows = list(table)
        if not all(isinstance(row, Mapping) for row in rows):
            raise SetupError(
                "a recording is a DataFrame or a list of dicts; some rows are not dicts."
            )
        present = list(dict.fromkeys(key for row in rows for key in row))
        columns = {
            name: [plain_cell(row.get(name)) for row in rows] for name in COLUMNS if name in present
        }
        if not rows:
            return {"example": [], "output": []}
    else:
        raise SetupError(
            f"a recording is a DataFrame or a list of dicts, got {type(table).__name__}."
        )
    for needed in ("example", "output"):
        if needed not in columns:
            raise SetupError(
                f"the recorded outputs have no column {needed!r}; they have"
                f" {', '.join(present) or 'none'}, rename the one that is meant."
            )
    return columns


def _plain(column: Any) -> list[object]:
    values = column.tolist() if hasattr(column, "tolist") else column.to_list()
    return [plain_cell(value) for value in values]


def plain_cell(value: object) -> object:
    """The value, as Python's own where it is numpy's; None for what pandas writes into an empty
    cell: NaN, NaT and NA do not equal themselves.
    """
    if value is None or isinstance(value, str):
        return value
    try:
        return value if value == value else None
    except TypeError:  # NA refuses to be true or false
        return None


def sample_numbers(column: list[Any]) -> list[int]:
    """The samples counted from 0, whether the table counts from 0 or from 1."""
    try:
        numbers = [int(sample) for sample in column]
    except (TypeError, ValueError):
        raise SetupError(
            "the column sample holds something that is not a whole number; number the samples, or"
            " drop"
            " the column."
        ) from None
    first = 1 if min(numbers, default=0) == 1 else 0
    return [number - first for number in numbers]


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _of(version: str) -> str:
    return f" of version {version!r}" if version else ""
