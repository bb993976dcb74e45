"""A table of the store as a value: its columns, their kinds, and the statements that make it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "Table", "table_of"]
Kind = Literal["text", "json", "int", "float", "bool", "time"]


_SQL: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "time": "TIMESTAMP",
}


@dataclass(frozen=True, slots=True)
class Column:
    """kind: "json" is text that holds one JSON document; "time" is UTC without zone."""

    name: str
    kind: Kind
    comment: str


@dataclass(frozen=True, slots=True)
class Table:
    """key: names of the columns that identify a row, never null."""

    name: str
    key: tuple[str, ...]
    comment: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def ddl(self, temporary: bool = False) -> Iterator[str]:
        """The statements that make the table; comments only if it is kept."""
        fields = ", ".join(
            f'"{c.name}" {_SQL[c.kind]}{" NOT NULL" if c.name in self.key else ""}'
            for c in self.columns
        )
        yield f"CREATE {'TEMP ' if temporary else ''}TABLE {self.name} ({fields})"
        if not temporary:
            yield from self.comments()

    def widen(self, name: str) -> str:
        """The statement that adds a column to a table that was made without it."""
        [column] = [column for column in self.columns if column.name == name]
        return f'ALTER TABLE {self.name} ADD COLUMN "{name}" {_SQL[column.kind]}'

    def comments(self) -> Iterator[str]:
        """The statements that write the comments of the table and of its columns."""
        yield f"COMMENT ON TABLE {self.name} IS {_quoted(self.comment)}"
        yield from map(self._comment, self.columns)

    def _comment(self, column: Column) -> str:
        return f'COMMENT ON COLUMN {self.name}."{column.name}" IS {_quoted(column.comment)}'

    def arrow(self) -> pa.DataType:
        """The pyarrow schema, columns in order."""
        import pyarrow as pa

        types = {
            "text": pa.string(),
            "json": pa.string(),
            "int": pa.int64(),
            "float": pa.float64(),
            "bool": pa.bool_(),
            "time": pa.timestamp("us"),
        }
        return pa.schema([(column.name, types[column.kind]) for column in self.columns])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def table_of(name: str, key: str, comment: str, columns: str) -> Table:
    """A table of lines `column kind comment`; one that is indented further continues the last."""
    listed = []
    for line in re.sub(r"\n {5,}", " ", columns.strip()).splitlines():
        column, kind, text = line.strip().split(None, 2)
        # the literals below, and a test of them
        listed.append(Column(column, kind, text))  # type: ignore[arg-type]
    return Table(name, tuple(key.split()), comment, tuple(listed))
