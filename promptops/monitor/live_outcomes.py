"""Live calls as the guard sees them, read from where an application records: a folder of segments
and files that may still grow, or a log with one JSON line per call.

A call is taken once, whatever it was read from. Its quality is its score in the store, by one
scorer; where no call has one, people's feedback on it ("good").
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.prices import cost_of, price_of
from ..errors import StoreError
from ..spool.segment import read_pieces, segments
from ..study.queries.live_scores import live_scores
from .guard import LiveOutcome
from .live_lines import LiveLines, line_files

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = ["cut_lines", "recorded_outcomes", "recorded_rows"]

_TABLES = ("live", "feedback")
_Vote = tuple[str, str, float]  # when, on what, 1 for good
_OURS = frozenset(("cancelled", "budget_stop", "circuit_open"))  # the application's own doing


def recorded_outcomes(
    project: Project, record: Path, prompt: str, env: str, *, scorer: str | None = None
) -> list[LiveOutcome]:
    """The calls of a prompt in an environment, oldest first.

    Args:
        record: the folder or log that `promptops.observe` writes.
        scorer: whose scores are the quality; None: the one that scored most of these calls.

    Raises:
        StoreError: the record cannot be read.
    """
    calls: dict[str, Mapping[str, Any]] = {}
    votes: list[_Vote] = []
    begun: dict[str, list[tuple[str, str]]] = {}  # provider's id -> when its calls began, and ids
    for table, row in recorded_rows(record):
        value = row.get("value")
        if table == "feedback" and row.get("kind") == "good" and isinstance(value, (int, float)):
            votes.append((str(row.get("at") or ""), str(row.get("run")), float(value)))
        elif table == "live":
            id = str(row.get("id"))
            if answer := row.get("response_id"):
                begun.setdefault(str(answer), []).append((str(row.get("started_at") or ""), id))
            if row.get("prompt") == prompt and row.get("env") == env:
                calls[id] = row
    scored = _scores(project, list(calls), scorer)
    if not scored and scorer is None:
        scored = _last_votes(votes, begun)
    found = [_outcome(row, scored.get(id), project.prices) for id, row in calls.items()]
    return sorted(found, key=lambda each: each.at)


def _last_votes(votes: list[_Vote], begun: Mapping[str, list[tuple[str, str]]]) -> dict[str, float]:
    """call -> the last vote on it. A provider's id may come again: a vote on it is of the last call
    before that had it.
    """
    found: dict[str, float] = {}
    for at, run, value in sorted(votes):
        known = sorted(begun.get(run, ()))
        before = [id for began, id in known if began <= at]
        found[before[-1] if before else known[0][1] if known else run] = value
    return found


def recorded_rows(
    record: Path, tables: Collection[str] = _TABLES
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(table, row) of every live call and word of feedback.

    Raises:
        StoreError: the folder or the log cannot be read.
    """
    try:
        yield from _of_folder(record, tables) if record.is_dir() else LiveLines(record, tables)
    except OSError as error:
        raise StoreError(
            f"the live calls in {record.name} cannot be read ({error.strerror}); pass the folder or"
            " log that promptops.observe writes."
        ) from None


def cut_lines(record: Path) -> int:
    """The lines of live calls in a log that are not whole and are in no figure; 0 of a folder."""
    lines = LiveLines(record, _TABLES)
    if not record.is_dir():
        for _ in lines:
            pass
    return lines.cut


def _of_folder(folder: Path, tables: Collection[str]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for segment in segments(folder):
        try:
            for piece in read_pieces(segment, 0):
                for table in tables:
                    for start, stop in piece.scan.rows.get(table, ()):
                        yield table, json.loads(piece.data[start:stop])
        except FileNotFoundError:  # merged and removed meanwhile
            continue
    for path in line_files(folder):
        yield from LiveLines(path, tables, grows=True)


def _scores(project: Project, ids: list[str], scorer: str | None) -> dict[str, float]:
    rows = live_scores(project.store, ids)
    if not rows:
        return {}
    name = scorer or Counter(each for _, each, _ in rows).most_common(1)[0][0]
    return {run: value for run, each, value in rows if each == name and 0 <= value <= 1}


def _outcome(
    row: Mapping[str, Any], quality: float | None, prices: Mapping[str, object] | None
) -> LiveOutcome:
    failure = row.get("failure")
    price = price_of(str(row.get("model_returned") or row.get("model") or ""), prices)
    tokens = [row.get(name) for name in ("tokens_in", "tokens_out", "tokens_cached")]
    known = tokens[0] and (tokens[1] or not row.get("chars_out"))  # as in COUNTED
    return LiveOutcome(
        row.get("key_hash"),
        str(row.get("version_id") or ""),
        str(row.get("started_at") or ""),
        failure is not None and str(failure) not in _OURS,
        row.get("latency_ms"),
        cost_of(price, *tokens) if known else None,
        quality,
    )
