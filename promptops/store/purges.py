"""Removing what must not be kept: rows by example, study or age, from the DuckDB file, the segments
and the archive.

What a living process still holds in its own segment cannot be cut out of it: those rows are hidden
at once, reported, and removed by the next purge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..markup import shorten
from ..spool.segment import Segment, read_pieces
from .arrow_rows import Keep, documents_of
from .hidden import add_hidden, hidden_of
from .proposers_shown import proposals_with
from .read import as_stored

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection as Connection

__all__ = [
    *("OF_ANSWERS", "Doomed", "Named", "Purged"),
    "doomed_by",
    "hide",
    "holds",
    "keep_all_but",
    "keep_of",
    "utc_moment",
]

# table -> (column, which ids it is compared with)
_HELD: Mapping[str, tuple[tuple[str, str], ...]] = {
    "runs": (("id", "runs"), ("example_id", "examples")),
    "attempts": (("run_id", "runs"),),
    "scores": (("run_id", "runs"),),
    "study_runs": (("run_id", "runs"), ("example_id", "examples"), ("study_id", "studies")),
    "labels": (("run_id", "runs"), ("example_id", "examples")),
    "examples": (("example_id", "examples"),),
    "studies": (("id", "studies"),),
    "study_events": (("study_id", "studies"),),
    "verdicts": (("study_id", "studies"),),
    "live": (("id", "runs"),),
    "feedback": (("id", "runs"), ("run", "runs")),
}


@dataclass(frozen=True, slots=True)
class Doomed:
    """Ids of what is to go."""

    runs: frozenset[str] = frozenset()
    examples: frozenset[str] = frozenset()
    studies: frozenset[str] = frozenset()

    def takes(self, table: str, row: Mapping[str, object]) -> bool:
        """Whether the row goes."""
        return any(row.get(column) in getattr(self, ids) for column, ids in _HELD.get(table, ()))

    def rest(self, table: str, rows: pa.Table) -> pa.Table:
        """The rows of a pyarrow table that stay."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for column, ids in _HELD.get(table, ()):
            rows = rows.filter(
                pc.invert(
                    pc.is_in(
                        rows.column(column),
                        value_set=pa.array(sorted(getattr(self, ids)), pa.string()),
                    )
                )
            )
        return rows

    def counts(self, con: Connection) -> dict[str, int]:
        """table -> rows of the store that go."""
        found = {}
        for table, columns in _HELD.items():
            where = " OR ".join(f"{column} IN (SELECT unnest(?))" for column, _ in columns)
            values = [sorted(getattr(self, ids)) for _, ids in columns]
            found[table] = int(
                con.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchall()[0][0]
            )
        return {table: count for table, count in found.items() if count}

    def __bool__(self) -> bool:
        return bool(self.runs or self.examples or self.studies)


@dataclass(frozen=True, slots=True)
class Purged:
    """removed: table -> rows; left: one sentence each for what could not be removed or is not the
    store's; owed: those among them that another purge can remove, once a process has ended.
    """

    removed: Mapping[str, int] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    owed: tuple[str, ...] = ()

    def __str__(self) -> str:
        gone = ", ".join(f"{count:,} {table}" for table, count in self.removed.items()) or "nothing"
        return "\n".join([f"removed: {gone}", *(f"left: {sentence}" for sentence in self.left)])


@dataclass(frozen=True, slots=True)
class Named:
    """What a purge was asked for.

    examples: ids of examples; live: ids of live rows, or the provider's ids of their answers;
    study: the id of one; before, live_before: the moment (UTC, ISO 8601) before which runs and live
    rows began, or live rows alone.
    """

    examples: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    study: str | None = None
    before: str | None = None
    live_before: str | None = None

    @classmethod
    def asked(
        cls,
        examples: Iterable[str],
        live: Iterable[str],
        study: str | None,
        before: str | None,
        table: str | None,
    ) -> Named:
        """What the arguments of `Store.purge` name. Raises StoreError if that is nothing, or
        `before` is not a moment.
        """
        chosen, calls = (
            sorted(map(as_stored, {each} if isinstance(each, str) else set(each)))
            for each in (examples, live)
        )
        moment = utc_moment(before)
        moments = (None, moment) if table == "live" else (moment, None)
        named = cls(tuple(chosen), tuple(calls), study and as_stored(study), *moments)
        if not named or table not in (None, "live"):
            raise StoreError(
                "nothing was named to purge; pass example ids, live=, study= or before=, and"
                ' table="live" for live rows alone.'
            )
        return named

    def __bool__(self) -> bool:
        return bool(self.examples or self.live or self.study or self.before or self.live_before)

    def runs_in(self, table: str, row: Mapping[str, object]) -> tuple[str, ...]:
        """Ids of the run or live call that goes because of this row, seen alone."""
        if table in ("runs", "study_runs") and row.get("example_id") in self.examples:
            return _present(row.get("id" if table == "runs" else "run_id"))
        ids = _present(row.get("id"), row.get("response_id"))
        moments = (self.before, self.live_before if table == "live" else None)
        if table in ("runs", "live") and any(each and _is_before(row, each) for each in moments):
            return ids
        return ids if table == "live" and not set(ids).isdisjoint(self.live) else ()


def utc_moment(text: str | None) -> str | None:
    """A moment in the one form that every reader of it takes alike: DuckDB's cast, and the
    comparison of texts by which rows are found in segments; None if none is given.

    Raises StoreError if it is not a moment.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            found = found.astimezone(UTC).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError):
        raise StoreError(
            f"{shorten(text, 60)!r} is not a moment; pass UTC in ISO 8601, such as 2026-08-01 or"
            " 2026-08-01T12:00:00."
        ) from None
    return found.isoformat()


def _present(*ids: object) -> tuple[str, ...]:
    return tuple(str(each) for each in ids if each)


def _is_before(row: Mapping[str, object], before: str) -> bool:
    started = str(row.get("started_at") or "")
    return bool(started) and started.replace(" ", "T") < before.replace(" ", "T")


# Feedback by the provider's id, with the call that it is on. Such an id may come again (a local
# server counts to a thousand): feedback on it belongs to the last call before that had it.
OF_ANSWERS = """
    SELECT call, f.* FROM feedback f JOIN (
        SELECT f.id, arg_min(
            l.id, (l.started_at > f."at", abs(epoch(f."at") - epoch(l.started_at)), l.id)) AS call
        FROM feedback f JOIN live l ON f.run = l.response_id WHERE f.run <> l.id GROUP BY f.id
    ) USING (id)
"""
# Of a judge's calls those go that show, as one whole part of their material, an answer that goes:
# what the judge was asked has the example's or the user's words in it.
_DOOMED = rf"""
WITH calls AS (
    SELECT id, response_id, output FROM live WHERE started_at < $before::TIMESTAMP
    OR started_at < $live_before::TIMESTAMP
    OR id IN (SELECT unnest($live)) OR response_id IN (SELECT unnest($live))
),
outputs AS (
    SELECT output FROM calls WHERE output <> ''
    UNION SELECT output FROM runs WHERE output <> '' AND (example_id IN (SELECT unnest($examples))
        OR id IN (SELECT run_id FROM study_runs WHERE example_id IN (SELECT unnest($examples))))
),
material AS (
    SELECT id, unnest(regexp_extract_all(
        request::VARCHAR, '<<[A-Z_0-9]+ [0-9a-f]+>>\\n(.*?)\\n<</', 1)) AS part
    FROM runs WHERE role = 'judge' AND EXISTS (FROM outputs)
)
SELECT id FROM runs WHERE example_id IN (SELECT unnest($examples))
    OR started_at < $before::TIMESTAMP
UNION SELECT run_id FROM study_runs WHERE example_id IN (SELECT unnest($examples))
UNION (SELECT run_id FROM study_runs WHERE study_id = $study
    EXCEPT SELECT run_id FROM study_runs WHERE study_id <> $study)
UNION SELECT id FROM material SEMI JOIN outputs
    ON TRY(json_extract_string('"' || part || '"', '$')) = output
UNION SELECT id FROM calls
UNION SELECT id FROM ({OF_ANSWERS}) WHERE call IN (SELECT id FROM calls)
UNION SELECT response_id FROM calls WHERE response_id IS NOT NULL AND response_id NOT IN (
    SELECT response_id FROM live WHERE response_id IS NOT NULL AND id NOT IN (SELECT id FROM calls))
UNION SELECT id FROM feedback WHERE "at" < $before::TIMESTAMP OR "at" < $live_before::TIMESTAMP
"""


def doomed_by(con: Connection, named: Named) -> Doomed:
    """The ids of everything that is meant: runs of the examples; the study, and the runs that no
    other study uses; live rows and their feedback, which may name them by the provider's id; what
    a judge was asked about any of these examples and live rows, and a proposer was shown of the
    examples; what began before a moment.
    """
    rows = con.execute(
        _DOOMED,
        {
            "examples": list(named.examples),
            "live": list(named.live),
            "study": named.study,
            "before": named.before,
            "live_before": named.live_before,
        },
    ).fetchall()
    return Doomed(
        frozenset([*named.live, *(run for (run,) in rows), *proposals_with(con, named.examples)]),
        frozenset(named.examples),
        frozenset([named.study] if named.study else []),
    )


def holds(segment: Segment, doomed: Doomed) -> int:
    """How many rows go, of the bytes that the segment is listed with."""
    found = 0
    for piece in read_pieces(segment, 0):
        found += sum(
            table in _HELD and doomed.takes(table, json.loads(row))
            for table, _, row in documents_of(piece)
        )
    return found


def keep_all_but(doomed: Doomed, merged: Mapping[str, int], hidden: Keep | None) -> Keep:
    """For the archive: every row but those that go, and those that an earlier purge hid.

    merged: segment -> bytes in which the doomed were looked for. An example's rows behind them are
    new: the run there is not among the doomed runs, and neither it nor what names it goes.
    """
    later = replace(doomed, examples=frozenset())

    def keep(segment: str, position: int, table: str, row: bytes) -> bool:
        if hidden is not None and not hidden(segment, position, table, row):
            return False
        ids = doomed if position < merged.get(segment, 0) else later
        return table not in _HELD or not ids.takes(table, json.loads(row))

    return keep


def hide(folder: Path, segment: Segment, doomed: Doomed) -> None:
    """Never merge these rows out of what the segment holds now; what is written behind it is
    new.
    """
    entry = {
        "segment": segment.name,
        "bytes": segment.size,
        "runs": sorted(doomed.runs),
        "examples": sorted(doomed.examples),
        "studies": sorted(doomed.studies),
    }
    add_hidden(folder, entry)


def keep_of(folder: Path) -> Keep | None:
    """What merging may take of each segment; None if nothing is hidden."""
    hidden: dict[str, list[tuple[int, Doomed]]] = {}
    for entry in hidden_of(folder):
        doomed = Doomed(*(frozenset(entry[ids]) for ids in ("runs", "examples", "studies")))
        hidden.setdefault(entry["segment"], []).append((entry["bytes"], doomed))
    if not hidden:
        return None

    def keep(segment: str, position: int, table: str, row: bytes) -> bool:
        entries = [doomed for size, doomed in hidden.get(segment, ()) if position < size]
        return (
            not entries
            or table not in _HELD
            or not any(doomed.takes(table, json.loads(row)) for doomed in entries)
        )

    return keep
