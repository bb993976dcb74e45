"""What a purge is asked for means the same to DuckDB and in segments, and is refused in one
sentence where it means nothing; a purge waits for a process of our own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptops.errors import StoreError
from promptops.store import Store, patience
from promptops.store.connect import Busy, NotOurTurn
from promptops.store.patience import patiently
from promptops.store.purges import Named
from promptops.store.team import Tombstone

NEW = {"id": "l-new", "started_at": "2026-12-01T00:00:00.000000"}


@pytest.mark.parametrize(
    "before", ["2026-8-1", "infinity", "9", "today", "2026-08", "a\0b", "\ud800"]
)
def test_what_is_not_a_moment_is_refused_before_anything_goes(tmp_path: Path, before: str) -> None:
    """DuckDB reads some of these; as texts, "2026-12-01" comes before "2026-8-1"."""
    store = Store(tmp_path)
    store.append("live", [NEW])
    with pytest.raises(StoreError, match="is not a moment"):
        store.purge(before=before)
    assert store.rows("select id from live") == [("l-new",)]


@pytest.mark.parametrize(
    ("before", "same"),
    [
        ("2026-08-01", "2026-08-01T00:00:00"),
        ("20260801", "2026-08-01T00:00:00"),
        ("2026-08-01 12:00", "2026-08-01T12:00:00"),
        ("2026-08-01T01:00:00+02:00", "2026-07-31T23:00:00"),
        ("2026-08-01T00:00:00Z", "2026-08-01T00:00:00"),
    ],
)
def test_a_moment_is_kept_in_one_form(before: str, same: str) -> None:
    """In a tombstone of another member too."""
    named = Named.asked((), (), None, before, "live")
    assert named.live_before == same
    document = Tombstone.now(named, ()).document() | {"live_before": before}
    assert Tombstone.of(document).named == named
    assert named.runs_in("live", NEW) == ()
    assert named.runs_in("live", {"id": "l-old", "started_at": "2026-07-01T00:00:00"}) == ("l-old",)


def test_half_a_surrogate_pair_is_asked_for_as_it_was_stored(tmp_path: Path) -> None:
    """A row holds the replacement character; searching and purging find it, and raise nothing."""
    store = Store(tmp_path)
    run: dict[str, Any] = {"id": "r", "key": "k", "version_id": "v", "example_id": "e\ud800"}
    store.append("runs", [run])
    asked = "select id from runs where example_id = ?"
    assert store.rows(asked, ["e\ud800"]) == [("r",)]
    assert store.rows(asked.replace("?", "$e"), {"e": "e\ud800"}) == [("r",)]
    assert store.rows("select id from runs where example_id in (select unnest(?))", [["e\ud800"]])
    assert store.sql("select id from runs where example_id = 'e\ud800'")["id"].tolist() == ["r"]
    assert store.purge(["e\ud800"]).removed["runs"] == 1
    assert store.rows("select * from runs") == []


def test_a_purge_waits_for_a_process_of_our_own_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is refused once or twice is tried again; another program's hold is said at once."""
    answers: list[Any] = [NotOurTurn("another promptops process")] * 2 + ["done"]

    def step() -> Any:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    assert patiently(step) == "done"
    answers[:] = [Busy("excel (process 7)"), "never"]
    with pytest.raises(Busy, match="excel"):
        patiently(step)
    monkeypatch.setattr(patience, "PATIENT_S", -1.0)
    answers[:] = [NotOurTurn("another promptops process"), "never"]
    with pytest.raises(NotOurTurn):
        patiently(step)


def test_a_purge_that_finds_the_file_in_turn_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at its last step either, where half of it is done."""
    from promptops.store.database import Database

    store = Store(tmp_path)
    store.append("runs", [{"id": "r", "key": "k", "version_id": "v", "example_id": "e"}])
    real, calls = Database.replaced, []

    def replaced(self: Database, *args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) < 3:
            raise NotOurTurn("another promptops process")
        return real(self, *args, **options)

    monkeypatch.setattr(Database, "replaced", replaced)
    assert store.purge(["e"]).removed["runs"] == 1
    assert len(calls) == 3
