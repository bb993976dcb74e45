"""R14, forced: another process acts at the worst moment of an archive, a purge or a check, and no
row is lost.

The kind: two facts about one file that are taken at two moments. Each test runs the other process
between the two.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import StoreError
from promptops.spool import ends, locks, segment
from promptops.store import Store, integrity, repair, upkeep

AT = "2026-01-01T00:00:00"
WRITER = """
import sys
from promptops.store import Store
store = Store(sys.argv[1])
def append(study):
    store.append("study_events", [{"study_id": study, "event_at": "2026-01-01T00:00:00", "event": str(n)} for n in range(5)])
append("first")
print("ready", flush=True)
sys.stdin.readline()
append("late")
"""
ACTS: dict[str, Callable[[Store], object]] = {
    "archive": Store.archive,
    "purge": lambda store: store.purge(["nobody"]),
}


class Writer:
    """Another process: has recorded five rows, and records five more and ends when it is told
    to.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def ends(self) -> None:
        """Twice is once."""
        if self._process.returncode is None:
            self._process.communicate("go\n", timeout=60)
            assert self._process.returncode == 0


def other(folder: Path, *lines: str) -> str:
    """What another process prints that does this with the store."""
    code = "\n".join(
        ["import sys", "from promptops.store import Store", "store = Store(sys.argv[1])", *lines]
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def events(folder: Path, study: str = "late") -> int:
    return int(
        Store(folder).rows("select count(*) from study_events where study_id = ?", [study])[0][0]
    )


def before(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], object]
) -> None:
    """`act` comes before the function, once."""
    real, left = getattr(module, name), [act]

    def first(*args: Any, **named: Any) -> Any:
        if left:
            left.pop()()
        return real(*args, **named)

    monkeypatch.setattr(module, name, first)


def after(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], object]
) -> None:
    """`act` comes between the function's answer and who asked, once."""
    real, left = getattr(module, name), [act]

    def then(*args: Any, **named: Any) -> Any:
        found = real(*args, **named)
        if left:
            left.pop()()
        return found

    monkeypatch.setattr(module, name, then)


def archived(store: Store) -> None:
    """Archive again and drop the database: the rows must be where the ledgers place them."""
    store.archive()
    (store.folder / "store.duckdb").unlink()


@pytest.mark.parametrize("moment", ["listed", "asked"])
@pytest.mark.parametrize("act", ACTS)
def test_a_writer_that_appends_and_ends_meanwhile_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, moment: str
) -> None:
    """It does so after its segment was listed with its size, or just before the question whether it
    lives.
    """
    writer, store = Writer(tmp_path), Store(tmp_path)
    store.merge()
    if moment == "listed":
        for module in (segment, upkeep):
            after(monkeypatch, module, "segments", writer.ends)
    else:
        before(monkeypatch, segment, "stopped", writer.ends)
    ACTS[act](store)
    monkeypatch.undo()
    writer.ends()
    assert events(tmp_path) == 5
    archived(store)
    assert events(tmp_path) == 5
    assert Store(tmp_path).verify() == []


@pytest.mark.parametrize("act", ACTS)
def test_a_segment_that_grew_after_all_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Without locks a writer that was quiet for long counts as ended, and may go on while its batch
    is written.
    """
    writer, store = Writer(tmp_path), Store(tmp_path)
    monkeypatch.setattr(segment, "stopped", lambda path: nullcontext(path.stat()))
    store.merge()
    after(monkeypatch, upkeep, "write_batch", writer.ends)
    ACTS[act](store)
    monkeypatch.undo()
    assert len(list((tmp_path / "segments").glob("*.jsonl"))) == 1
    assert events(tmp_path) == 5
    archived(store)
    assert list((tmp_path / "segments").glob("*.jsonl")) == []
    assert events(tmp_path) == 5
    assert Store(tmp_path).verify() == []


@pytest.mark.parametrize("gone", ["by a purge", "by hand"])
def test_a_segment_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """A new segment has no lock for a moment: a row that is written to a removed file would be gone
    with its process.
    """
    Store(tmp_path).append("study_events", [{"study_id": "first", "event_at": AT, "event": "0"}])

    def purge() -> None:
        if gone == "by hand":
            for path in (tmp_path / "segments").glob("*.jsonl"):
                if not path.stat().st_size:
                    path.unlink()
        else:
            other(tmp_path, "store.purge(['nobody'])")

    before(monkeypatch, segment, "keep", purge)
    store = Store(tmp_path)
    store.append("study_events", [{"study_id": "late", "event_at": AT, "event": "0"}])
    store.close()
    assert events(tmp_path) == 1
    archived(store)
    assert events(tmp_path) == 1
    assert Store(tmp_path).verify() == []


def test_a_purge_takes_an_example_s_runs_as_of_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of the purged example that is recorded meanwhile stays with its attempts, or goes with
    them.
    """
    code = (
        "store.append_all({'runs': [{'id': 'WHICH', 'key': 'k', 'version_id': 'v', 'example_id':"
        " 'e'}], 'attempts': [{'run_id': 'WHICH', 'number': 1}]})"
    )
    other(tmp_path, code.replace("WHICH", "old"))
    after(
        monkeypatch,
        import_module("promptops.store.store"),
        "doomed_by",
        lambda: other(tmp_path, code.replace("WHICH", "new")),
    )
    store = Store(tmp_path)
    assert store.purge(["e"]).removed == {"runs": 1, "attempts": 1}
    found = Store(tmp_path)
    assert (
        found.rows("select count(*) from runs")
        == found.rows("select count(*) from attempts")
        == [(1,)]
    )
    assert found.verify() == []


def test_what_an_earlier_purge_hid_does_not_come_back_with_the_next(tmp_path: Path) -> None:
    """The first purge hides rows of a living process; the next names other rows after that process
    has ended.
    """
    writer = Store(tmp_path)
    writer.append(
        "runs",
        [{"id": f"r{n}", "key": "k", "version_id": "v", "example_id": f"e{n}"} for n in range(3)],
    )
    assert "1 row is hidden" in other(tmp_path, "print(store.purge(['e0']))")
    writer.close()
    Store(tmp_path).purge(["e1"])
    assert Store(tmp_path).rows("select example_id from runs") == [("e2",)]


@pytest.mark.parametrize(
    "then",
    [
        (
            "store.append('study_events', [dict(study_id='x', event_at='2026-01-01', event='0')]);"
            " store.merge()"
        ),
        "store.archive()",
    ],
)
@pytest.mark.parametrize("moment", ["check_archive", "check_database"])
def test_a_doctor_beside_others_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, then: str
) -> None:
    """Rows that were recorded and merged, or segments that were archived, since it listed them are
    not damage.
    """
    other(
        tmp_path,
        "store.append('study_events', [dict(study_id='s', event_at='2026-01-01', event='0')])",
    )
    before(monkeypatch, repair, moment, lambda: other(tmp_path, then))
    assert Store(tmp_path).verify() == []


def test_a_doctor_that_reads_while_another_archives_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segments are listed, and gone when they are read: they would seem to be missing."""
    other(
        tmp_path,
        "store.append('study_events', [dict(study_id='s', event_at='2026-01-01', event='0')])",
    )
    archive = (
        "from promptops.store import merge_segments as merge, upkeep",
        "upkeep.archive_sealed(store.folder, merge.sources_of(store.folder).sizes())",
    )
    before(monkeypatch, integrity, "everything", lambda: other(tmp_path, *archive))
    assert Store(tmp_path).verify() == []


# A purge that does not end: it has the archive's turn when the doctor comes, archives while the
# doctor would read, and ends when it is told to.
PURGER = """
import sys
from pathlib import Path
from promptops.store.archive import alone
with alone(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def endless_purge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another process archives or purges for longer than anybody waits."""
    monkeypatch.setattr(repair, "PATIENT_S", 0.2)
    with subprocess.Popen(
        [sys.executable, "-c", PURGER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        yield
        process.communicate("end\n", timeout=60)


def test_a_doctor_does_not_read_while_another_purges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is moved while it is read would seem to be missing: the store is not checked then, which
    is said, and is checked afterwards.
    """
    other(
        tmp_path,
        "store.append('study_events', [dict(study_id='s', event_at='2026-01-01', event='0')])",
    )
    with endless_purge(tmp_path, monkeypatch):
        [line] = Store(tmp_path).verify()
        assert "archived or purged by another promptops process" in line
        assert "could not be checked; run verify() again" in line
    assert Store(tmp_path).verify() == []


def test_nothing_is_rescued_while_another_purges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows would come back: a segment that a purge has removed is one that lost its rows, and
    the file has them still.
    """
    other(
        tmp_path,
        "store.append('study_events', [dict(study_id='s', event_at='2026-01-01', event='0')])",
        "store.merge()",
    )
    store = Store(tmp_path)
    with endless_purge(tmp_path, monkeypatch):
        for lost in (tmp_path / "segments").iterdir():
            lost.unlink()
        done = store.repair()
        assert any("is in use by another promptops process" in line for line in done)
        assert not any("once more" in line for line in done)
        with pytest.raises(StoreError, match="is in use by another promptops process"):
            store.purge(["nobody"])
        assert not list((tmp_path / "segments").iterdir())
    assert any("recorded 1 row once more" in line for line in store.repair())


# -- what the doctor can know


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upkeep as it was: sizes from the listing, then the question, then a removal without a second
    look.
    """

    def finished(folder: Path) -> list[segment.Segment]:
        return [found for found in segment.segments(folder) if not locks.held(found.path)]

    def remove(found: segment.Segment) -> bool:
        found.path.unlink()
        return True

    monkeypatch.setattr(upkeep, "finished", finished)
    monkeypatch.setattr(upkeep, "remove_finished", remove)


@pytest.mark.parametrize("act", ACTS)
def test_lost_rows_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """Upkeep as it was loses the rows, so these tests can fail; `verify` reports it until a repair
    has.
    """
    writer, store = Writer(tmp_path), Store(tmp_path)
    store.merge()
    broken(monkeypatch)
    before(monkeypatch, locks, "held", writer.ends)
    ACTS[act](store)
    monkeypatch.undo()
    writer.ends()
    assert events(tmp_path) == 0
    (line,) = Store(tmp_path).verify()
    assert "acknowledged rows are lost" in line
    Store(tmp_path).purge(["nobody"])
    assert Store(tmp_path).verify() == [line]
    assert any("acknowledged rows are lost" in done for done in Store(tmp_path).repair())
    assert Store(tmp_path).verify() == []


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("how", ["removed", "emptied", "cut"])
def test_a_segment_that_was_damaged_before_or_after_it_was_merged_is_reported(
    tmp_path: Path, how: str, merged: bool
) -> None:
    """Where nobody had read it, only its writer's last word knows; where it was merged, a repair
    saves the rows.
    """
    writer = Writer(tmp_path)
    writer.ends()
    if merged:
        Store(tmp_path).merge()
    (path,) = (tmp_path / "segments").glob("*.jsonl")
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 200 if how == "cut" else 0])
    assert sum(f"the segment {path.stem} reached" in line for line in Store(tmp_path).verify()) == 1
    Store(tmp_path).archive()
    assert any(f"the segment {path.stem} reached" in line for line in Store(tmp_path).verify())
    done = Store(tmp_path).repair()
    assert not any("reached" in line for line in Store(tmp_path).verify())
    assert any("recorded" in line for line in done) is merged
    assert events(tmp_path) == (5 if merged else 0)


def test_many_small_segments_are_archived_in_few_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newcomer to a team takes those of years at once: the rows keep their order, in groups, and
    the notes are listed a few times, not once for each.
    """
    import pyarrow.parquet as pq

    for n in range(60):
        store = Store(tmp_path)
        store.append("study_events", [{"study_id": f"s{n}", "event_at": AT, "event": str(n)}])
        store.close()
    listed: list[Path] = []
    noted = ends._noted
    monkeypatch.setattr(ends, "_noted", lambda folder: listed.append(folder) or noted(folder))
    Store(tmp_path).archive()
    [file] = (tmp_path / "archive").glob("*/study_events.parquet")
    assert pq.ParquetFile(file).num_row_groups == 1
    assert pq.read_table(file).column("event").to_pylist() == [str(n) for n in range(60)]
    assert len(listed) < 10
    assert ends.ends_of(tmp_path) == {}


def test_the_notes_of_ended_segments_do_not_pile_up(tmp_path: Path) -> None:
    """They go as their segments are archived, and are never written through a symlink."""
    for _ in range(3):
        store = Store(tmp_path)
        store.append("study_events", [{"study_id": "s", "event_at": AT, "event": "0"}])
        store.close()
    assert len(ends.ends_of(tmp_path)) == 3
    Store(tmp_path).archive()
    assert ends.ends_of(tmp_path) == {}
    (tmp_path / "ended").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "ended").symlink_to(tmp_path / "elsewhere")
    store = Store(tmp_path)
    store.append("study_events", [{"study_id": "s", "event_at": AT, "event": "1"}])
    store.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []
