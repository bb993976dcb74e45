"""R10, R11 and upkeep: archive, doctor, moving between machines and removing for good change where
rows are, never what they say.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset.example import Example
from promptops.errors import StoreError
from promptops.store import Store, connect, upkeep
from promptops.store.schema import SCHEMA, TABLES
from promptops.version import PromptVersion

GOLDEN = Path(__file__).parents[1] / "golden"
AT = "2026-01-01T00:00:00"


def fill(store: Store, study: str = "s1", examples: int = 6) -> None:
    """A small study, a row in each table."""
    version = PromptVersion("Classify {{ticket}}", model="m")
    made = [
        Example(f"{study}-e{n}", {"ticket": f"text {n} of {study}"}, expected="billing")
        for n in range(examples)
    ]
    prints = [example.fingerprint for example in made]
    ids = [f"r-{study}-{n}" for n in range(examples)]
    document = json.dumps({"dataset": {"fingerprint": f"d-{study}"}})
    rows: dict[str, list[dict[str, Any]]] = {
        "runs": [
            {
                "id": ids[n],
                "key": f"k{n}",
                "version_id": version.id,
                "example_id": made[n].id,
                "output": f"personal {made[n].id}",
                "started_at": f"2026-01-0{1 + n}",
            }
            for n in range(examples)
        ],
        "attempts": [
            {"run_id": run, "number": 1, "started_at": AT, "latency_ms": 1.5} for run in ids
        ],
        "scores": [
            {
                "run_id": run,
                "example_fingerprint": print_,
                "scorer": "equals",
                "scorer_version": "1",
                "value": 1.0,
                "passed": True,
            }
            for run, print_ in zip(ids, prints, strict=True)
        ],
        "study_runs": [
            {
                "study_id": study,
                "arm": "v1",
                "version_id": version.id,
                "example_id": made[n].id,
                "example_fingerprint": prints[n],
                "repeat": 0,
                "run_id": ids[n],
            }
            for n in range(examples)
        ],
        "study_events": [{"study_id": study, "event_at": AT, "event": "finished"}],
        "studies": [
            {"id": study, "name": study, "prompt": "p", "design": document, "created_at": AT}
        ],
        "versions": [
            {
                "id": version.id,
                "prompt": "p",
                "display_name": "v1",
                "document": json.dumps(version.document()),
                "parents": "[]",
            }
        ],
        "datasets": [
            {"dataset_fingerprint": f"d-{study}", "name": "tickets", "n_examples": examples}
        ],
        "examples": [
            {
                "dataset_fingerprint": f"d-{study}",
                "example_id": e.id,
                "example_fingerprint": e.fingerprint,
                "position": n,
                "document": json.dumps(e.document()),
            }
            for n, e in enumerate(made)
        ],
        "labels": [
            {"id": f"l-{study}", "run_id": ids[0], "rater": "ann", "note": f"personal {made[0].id}"}
        ],
        "plans": [{"id": f"plan-{study}", "prompt": "p", "document": "{}"}],
        "verdicts": [{"id": f"verdict-{study}", "study_id": study, "document": "{}"}],
        "optimizations": [{"id": f"o-{study}", "prompt": "p"}],
        "candidates": [{"optimization_id": f"o-{study}", "version_id": "p1-x", "number": 0}],
        "candidate_events": [{"optimization_id": f"o-{study}", "number": 0, "status": "kept"}],
        "proposals": [{"optimization_id": f"o-{study}", "number": 0, "how": "edit"}],
        "batches": [{"id": f"b-{study}", "study_id": study, "keys": "[]", "n_questions": 0}],
        "batch_events": [
            {"batch_id": f"b-{study}", "event_at": "2026-01-05", "batch_event": "handed_in"}
        ],
        "live": [{"id": f"live-{study}", "prompt": "p", "started_at": "2026-01-05"}],
        "feedback": [{"id": f"said-{study}", "run": f"live-{study}", "kind": "good", "value": 1}],
        "live_losses": [{"id": f"lost-{study}", "rows": 3}],
        "live_sources": [{"source": study, "bytes": 7}],
        "live_hours": [{"id": f"h-{study}", "hour": "2026-01-01", "prompt": "p", "calls": 2}],
        "purged_calls": [{"id": f"until-{study}", "until": "2026-01-01"}],
    }
    assert set(rows) == set(TABLES)
    for table, listed in rows.items():
        store.append(table, listed)


def content(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store.access.reading("") as con:  # one opening instead of twelve
        return {
            table: con.execute(f"select * from {table} order by all").fetchall() for table in TABLES
        }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    fill(made)
    fill(made, "s2", 3)
    return made


# -- archive and doctor


def test_the_archive_holds_what_the_segments_held(store: Store) -> None:
    """Finished segments become Parquet and are removed; a writer's own stays; every row reads as
    before.
    """
    before = content(store)
    assert store.archive() == 0
    store.close()
    store.append("study_events", [{"study_id": "s3", "event_at": AT, "event": "started"}])
    assert store.archive() == 1
    assert len(list((store.folder / "segments").iterdir())) == 1
    store.close()
    assert store.archive() == 1
    assert list((store.folder / "segments").iterdir()) == []
    before["study_events"].append(("s3", before["study_events"][0][1], "started", None))
    assert content(store) == before
    assert store.verify() == []


def test_the_database_can_be_rebuilt(store: Store) -> None:
    """R10: deleted, it comes back row by row from archive and segments; by `repair`, and by any
    question.
    """
    store.close()
    store.archive()
    fill(store, "s3")
    before = content(store)
    (store.folder / "store.duckdb").unlink()
    assert content(Store(store.folder)) == before
    (store.folder / "store.duckdb").unlink()
    assert Store(store.folder).repair() == []
    assert content(Store(store.folder)) == before
    assert store.verify() == []


def test_an_archiver_that_died_before_it_removed_its_segments_doubles_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are in both places then: read once, rebuilt once, and the next archive tidies up."""
    before = content(store)
    store.close()
    monkeypatch.setattr(
        Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(OSError("dies here"))
    )
    assert store.archive() == 0
    monkeypatch.undo()
    assert len(list((store.folder / "archive").iterdir())) == 1
    (store.folder / "store.duckdb").unlink()
    assert content(Store(store.folder)) == before
    assert Store(store.folder).archive() == 1
    assert len(list((store.folder / "archive").iterdir())) == 1
    assert content(store) == before


def test_a_batch_that_was_never_finished_is_no_batch(store: Store) -> None:
    """An archiver was killed just before its rename: its folder counts for nothing, and the next
    archiver removes it.
    """
    before = content(store)
    store.close()
    store.archive()
    (batch,) = (store.folder / "archive").iterdir()
    shutil.copytree(batch, batch.with_name(".writing-1-2-aa"))
    (batch.with_name(".writing-1-2-aa") / "runs.parquet").write_bytes(b"half")
    (store.folder / "store.duckdb").unlink()
    assert content(Store(store.folder)) == before
    assert store.verify() == []
    store.archive()
    assert list((store.folder / "archive").iterdir()) == [batch]


def test_a_full_disk_leaves_the_segments_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch appears whole or not at all."""
    before = content(store)
    store.close()
    monkeypatch.setattr(
        os, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    assert store.archive() == 0
    monkeypatch.undo()
    assert list((store.folder / "archive").iterdir()) == []
    assert content(Store(store.folder)) == before


def test_sessions_that_ended_are_archived_on_the_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kernel leaves a segment: past so many of them, or so many bytes, anyone who merges moves
    them.
    """
    monkeypatch.setattr("promptops.store.access.ARCHIVE_SEGMENTS", 5)
    for n in range(8):
        other = Store(store.folder)
        other.append("study_events", [{"study_id": f"session-{n}", "event_at": AT, "event": "x"}])
        other.close()
    (store.folder / "segments" / "0-1-dead.jsonl").touch()  # its writer died before its first row
    os.utime(store.folder / "segments" / "0-1-dead.jsonl", (0, 0))
    assert store.rows("select count(*) from study_events where study_id like 'session%'") == [(8,)]
    assert len(list((store.folder / "segments").iterdir())) == 1  # this process's own
    assert store.verify() == []


def test_what_a_dead_process_left_in_the_scratch_folder_is_removed(store: Store) -> None:
    """A process that was killed while a foreign tool held the file leaves its private copy."""
    from promptops.store.scratch import scratch_folder

    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    mine = scratch_folder(store.folder, store)
    (mine.parent / f"1-{child.pid}-aa").mkdir()
    (mine.parent / f"1-{child.pid}-aa" / "store.duckdb").touch()
    again = scratch_folder(store.folder, store)
    assert sorted(mine.parent.iterdir()) == sorted([mine, again])


@pytest.mark.parametrize(
    "said",
    [
        (
            "Trying to read a database file with version number 69, but we can only read versions"
            " between 64 and 68."
        ),
        'Could not write file "store.duckdb": No space left on device',
        'Cannot open file "store.duckdb": Too many open files',
    ],
)
def test_what_is_not_the_file_s_fault_leaves_it_where_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """A newer DuckDB's file, a full disk, a process out of handles: rows come from segments and
    archive, nothing is set aside.
    """
    import duckdb

    before = content(store)
    real = connect._use

    def fails(con: Any, path: Path | str, options: str) -> None:
        if str(path) == str(store.folder / "store.duckdb"):
            raise duckdb.IOException(f"IO Error: {said}")
        real(con, path, options)

    monkeypatch.setattr(connect, "_use", fails)
    assert content(Store(store.folder)) == before
    assert not (store.folder / "aside").exists()
    monkeypatch.undo()
    assert content(store) == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "update runs set output = 'forged' where id = 'r-s1-3'",
            "1 row of runs has other values",
        ),
        ("delete from scores where run_id = 'r-s1-2'", "scores has 8 rows, 9 were merged"),
        ("insert into runs (id) values ('r-forged')", "runs has 10 rows, 9 were merged"),
        ("update runs set id = 'r-forged' where id = 'r-s1-3'", "1 row of runs is missing"),
        ("update internal.ledger set bytes = 100000000", "was cut"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*set aside.*")
def test_a_doctor_finds_and_mends_what_was_changed_in_the_file(
    store: Store, statement: str, said: str
) -> None:
    """Values, missing and foreign rows, wrong offsets: one line each, and `repair` sets the file
    aside and rebuilds it.
    """
    import duckdb

    before = content(store)
    with duckdb.connect(str(store.folder / "store.duckdb")) as con:
        con.execute(statement)
    counted = "merged" in said  # such a file is not even read: it is mended on the way
    found = [] if counted else Store(store.folder).verify()
    assert counted or any(said in line for line in found), found
    done = Store(store.folder).repair()
    assert any("set aside" in line for line in done)
    assert not any("still wrong" in line for line in done)
    assert content(Store(store.folder)) == before
    assert list((store.folder / "aside").iterdir())


@pytest.mark.parametrize("how", ["removed", "cut"])
def test_a_doctor_records_once_more_what_a_lost_segment_held(store: Store, how: str) -> None:
    """The DuckDB file is the only place that still has the rows: named, and after `repair` they can
    be rebuilt again.
    """
    before = content(store)
    store.close()
    (path,) = (store.folder / "segments").iterdir()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:3_000])
    assert any("segments and archive do not hold" in line for line in Store(store.folder).verify())
    done = Store(store.folder).repair()
    assert any("once more" in line for line in done)
    assert content(Store(store.folder)) == before
    (store.folder / "store.duckdb").unlink()
    assert content(Store(store.folder)) == before
    found = Store(store.folder).verify()
    assert all(
        "is damaged from byte" in line for line in found
    )  # of the record that was cut through


def test_a_doctor_rederives_the_ids_of_content(tmp_path: Path) -> None:
    """A version or example whose text is not what its id says; a score of a run that is not
    there.
    """
    store = Store(tmp_path / "store")
    version, example = PromptVersion("one {{x}}"), Example("e", {"x": "1"})
    other = json.dumps(PromptVersion("two {{x}}").document())
    store.append(
        "versions",
        [
            {"id": version.id, "prompt": "p", "document": other},
            {"id": "p1-bad", "prompt": "p", "document": "no json"},
        ],
    )
    store.append(
        "examples",
        [
            {
                "dataset_fingerprint": "d",
                "example_id": "e",
                "example_fingerprint": "0" * 32,
                "document": json.dumps(example.document()),
            }
        ],
    )
    store.append(
        "scores",
        [{"run_id": "r-none", "example_fingerprint": "f", "scorer": "s", "scorer_version": "1"}],
    )
    found = "\n".join(store.verify())
    assert f"the version {version.id} holds the content of" in found
    assert "the version p1-bad cannot be read" in found
    assert "the example e no longer has its fingerprint" in found
    assert "1 row of scores names a run that is not recorded" in found
    assert len(found.splitlines()) == 4


def test_an_example_whose_key_was_taken_out_is_no_damage(store: Store) -> None:
    """Its fingerprint is of what was asked, which the store must not hold."""
    example = Example("e", {"q": "is this a key?\nsk-proj-Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3"})
    store.append(
        "examples",
        [
            {
                "dataset_fingerprint": "d",
                "example_id": "e",
                "example_fingerprint": example.fingerprint,
                "document": json.dumps(example.document()),
            }
        ],
    )
    [(kept,)] = store.rows("select document from examples where dataset_fingerprint = 'd'")
    assert "[redacted]" in kept
    assert not [line for line in store.verify() if "fingerprint" in line]


def test_a_doctor_mends_a_changed_archive_from_the_file(store: Store) -> None:
    """One flipped bit in a Parquet file, and a file that is missing: named; what only the DuckDB
    file holds now is recorded once more.
    """
    before = content(store)
    store.close()
    store.archive()
    (batch,) = (store.folder / "archive").iterdir()
    data = bytearray((batch / "runs.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (batch / "runs.parquet").write_bytes(data)
    (batch / "plans.parquet").unlink()
    found = store.verify()
    assert sum("no longer has its checksum" in line for line in found) == 2
    done = store.repair()
    assert any("recorded" in line for line in done)
    assert not any("still wrong" in line for line in done)
    assert content(store) == before
    (store.folder / "store.duckdb").unlink()
    assert content(Store(store.folder)) == before


def test_a_purge_of_a_damaged_store_keeps_what_only_the_file_holds(store: Store) -> None:
    """A record was damaged after it was merged: the rebuild that a purge makes does not lose it."""
    store.merge()
    store.close()
    (segment,) = (store.folder / "segments").iterdir()
    data = bytearray(segment.read_bytes())
    data[data.index(b"r-s1-3")] ^= 1
    segment.write_bytes(data)
    before = content(store)
    Store(store.folder).purge(["s2-e0"])
    after = content(Store(store.folder))
    assert len(after["runs"]) == len(before["runs"]) - 1
    assert any(row[0] == "r-s1-3" for row in after["runs"])


@pytest.mark.filterwarnings("ignore:.*cannot be read.*")
def test_a_lost_database_beside_a_damaged_archive_gives_what_is_left(store: Store) -> None:
    """The worst day: what can be read is read, the rest is named, nothing raises."""
    store.close()
    store.archive()
    store.append("study_events", [{"study_id": "s9", "event_at": AT, "event": "late"}])
    (batch,) = (store.folder / "archive").iterdir()
    (batch / "runs.parquet").write_bytes(b"ruin")
    (store.folder / "store.duckdb").unlink()
    assert Store(store.folder).rows("select count(*) from study_events where study_id = 's9'") == [
        (1,)
    ]
    assert any(
        "runs.parquet is missing or no longer" in line for line in Store(store.folder).verify()
    )


# -- moving


def test_moving_a_store_moves_every_row_once(store: Store, tmp_path: Path) -> None:
    """Exported and taken in, equal in every table; a second time, and a store's own export, are
    nothing new.
    """
    sent = store.export(tmp_path / "all.jsonl")
    other = Store(tmp_path / "other")
    assert other.import_(tmp_path / "all.jsonl") == sent
    moved, own = content(other), content(store)
    # the last column of a run is the file that it came in with
    assert {row[-1] for row in moved["runs"]} == {"all.jsonl"}
    assert {row[-1] for row in own["runs"]} == {None}
    moved["runs"] = [(*row[:-1], None) for row in moved["runs"]]
    assert moved == own
    assert other.import_(tmp_path / "all.jsonl") == {}
    assert store.import_(tmp_path / "all.jsonl") == {}
    assert other.verify() == []


def test_moving_one_study_moves_what_belongs_to_it(store: Store, tmp_path: Path) -> None:
    """Its runs, scores, labels, examples and versions, and nothing of another's."""
    sent = store.export(tmp_path / "s2.jsonl", study="s2")
    assert {table: sent[table] for table in ("studies", "runs", "scores", "examples", "labels", "versions", "verdicts")} == {
        "studies": 1, "runs": 3, "scores": 3, "examples": 3, "labels": 1, "versions": 1, "verdicts": 1
    }  # fmt: skip
    other = Store(tmp_path / "other")
    fill(other, "s1")
    other.import_(tmp_path / "s2.jsonl")
    apart = {"plans", *(set(TABLES) - set(sent))}  # of no study, or the prompt's
    others: dict[str, list[tuple[Any, ...]]] = {table: [] for table in apart}
    moved, own = {**content(other), **others}, {**content(store), **others}
    # the last column of a run is the file that it came in with
    assert {row[-1] for row in moved["runs"]} == {None, "s2.jsonl"}
    moved["runs"] = [(*row[:-1], None) for row in moved["runs"]]
    assert moved == own
    with pytest.raises(StoreError, match="no study nowhere"):
        store.export(tmp_path / "none.jsonl", study="nowhere")


@pytest.mark.parametrize("fault", ["cut", "flipped", "text", "empty", "missing", "newer", "folder"])
def test_a_file_that_is_not_sound_is_refused_whole(
    store: Store, tmp_path: Path, fault: str
) -> None:
    """Nothing of it is taken in, and one sentence says why."""
    path = tmp_path / "all.jsonl"
    store.export(path)
    data = path.read_bytes()
    spoilt = {
        "cut": data[:-50],
        "flipped": data[:-60] + b"~" + data[-59:],
        "text": b"hello\n" * 99,
        "empty": b"",
    }
    if fault in spoilt:
        path.write_bytes(spoilt[fault])
    elif fault == "newer":
        from promptops.spool.lines import meta_line

        path.write_bytes(meta_line(schema=99) + data)
    else:
        path.unlink()
        if fault == "folder":
            path.mkdir()
    other = Store(tmp_path / "other")
    with pytest.raises(StoreError):
        other.import_(path)
    assert not (tmp_path / "other").exists()


# -- purging


def holding(folder: Path, text: str) -> list[Path]:
    """Files that hold the text, Parquet and DuckDB pages as their readers see them."""
    import duckdb
    import pyarrow.parquet as pq

    found = []
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += repr(pq.read_table(path).to_pylist()).encode()
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as con:
                data += repr([con.execute(f"from {table}").fetchall() for table in TABLES]).encode()
        if text.encode() in data:
            found.append(path)
    return found


@pytest.mark.parametrize("archived", [False, True])
def test_purging_examples_removes_every_trace(store: Store, archived: bool) -> None:
    """From file, segments and archive: no byte of it is left in the folder, everything else is, and
    a rebuild brings nothing back.
    """
    if archived:
        store.close()
        store.archive()
    assert holding(store.folder, "s1-e0")
    before = content(store)
    purged = store.purge(["s1-e0"])
    assert purged.removed == {
        "runs": 1,
        "attempts": 1,
        "scores": 1,
        "study_runs": 1,
        "labels": 1,
        "examples": 1,
    }
    assert holding(store.folder, "s1-e0") == []
    after = content(store)
    assert {
        table: len(before[table]) - len(after[table])
        for table in TABLES
        if before[table] != after[table]
    } == purged.removed
    (store.folder / "store.duckdb").unlink()
    assert content(Store(store.folder)) == after
    assert store.verify() == []


def test_purging_a_study_keeps_runs_that_another_uses(store: Store) -> None:
    """The study, and the runs that only it has."""
    store.append(
        "study_runs",
        [
            {
                "study_id": "s2",
                "arm": "v1",
                "version_id": "v",
                "example_id": "s1-e1",
                "repeat": 0,
                "run_id": "r-s1-1",
            }
        ],
    )
    store.purge(study="s1")
    assert {row[0] for row in store.rows("select id from runs")} == {
        "r-s1-1",
        "r-s2-0",
        "r-s2-1",
        "r-s2-2",
    }
    assert store.rows("select id from studies") == [("s2",)]
    assert store.rows("select count(*) from examples where dataset_fingerprint = 'd-s1'") == [(6,)]
    fill(store, "s1")  # evaluated again: it is a study like any other
    assert store.rows("select count(*) from study_runs where study_id = 's1'") == [(6,)]
    assert store.verify() == []


def test_purging_by_age_removes_what_is_older(store: Store) -> None:
    """Strictly before the moment."""
    assert store.purge(before="2026-01-03").removed["runs"] == 4
    assert store.rows("select min(started_at)::varchar from runs") == [("2026-01-03 00:00:00",)]


OTHER = """
import sys
from promptops.store import Store
store = Store(sys.argv[1])
store.append("runs", [{"id": "r-live", "example_id": "s1-e0", "output": "personal s1-e0"}])
print("written", flush=True)
sys.stdin.readline()
store.append("runs", [{"id": "r-later", "example_id": "s1-e0"}])
"""


@pytest.mark.skipif(
    sys.platform == "win32", reason="without file locks a writer's life cannot be seen"
)
def test_what_a_living_process_still_holds_is_hidden_and_said(store: Store) -> None:
    """Its rows are gone from every answer at once, also after a rebuild; the next purge removes
    their bytes. New rows are new.
    """
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(store.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        purged = store.purge(["s1-e0"])
        assert purged.removed["runs"] == 2
        assert any(f"process {child.pid}" in line for line in purged.left)
        assert str(purged).count("\nleft: ") == len(purged.left)
        assert store.rows("select count(*) from runs where example_id = 's1-e0'") == [(0,)]
        (store.folder / "store.duckdb").unlink()
        assert Store(store.folder).rows("select count(*) from runs where example_id = 's1-e0'") == [
            (0,)
        ]
        assert store.verify() == []
        child.communicate("go\n")
    assert store.rows("select id from runs where example_id = 's1-e0'") == [("r-later",)]
    assert not any("process" in line for line in store.purge(["s1-e0"]).left)
    assert holding(store.folder, "s1-e0") == []


def test_a_purge_of_nothing_is_refused(store: Store) -> None:
    """No argument is not a wish to remove everything."""
    with pytest.raises(StoreError, match="nothing was named"):
        store.purge()
    assert store.purge(["nobody"]).removed == {}


# -- releases


def released(tmp_path: Path, version: str) -> tuple[Store, dict[str, Any]]:
    """A golden store as it was left, and the rows that its release read."""
    folder = tmp_path / "store"
    shutil.copytree(GOLDEN / f"store-{version}", folder)
    for packed in folder.glob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    expected = json.loads((GOLDEN / f"store-{version}.json").read_text())
    for table, rows in expected.items():
        width = len(TABLES[table].names)
        expected[table] = [[*row, *[None] * (width - len(row))] for row in rows]
    return Store(folder), expected


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_store_of_every_release_opens(tmp_path: Path, version: str) -> None:
    """R11: segments, archive and DuckDB file as an earlier release left them; read whole, verified,
    written on. A column that came later is unknown in every row.
    """
    store, expected = released(tmp_path, version)
    found = json.loads(json.dumps(content(store), default=str))
    assert {table: found[table] for table in expected} == expected
    assert store.verify() == []
    fill(store, f"new-{random.random()}")
    (tmp_path / "store" / "store.duckdb").unlink()
    assert store.rows("select count(*) from runs")[0][0] == len(expected["runs"]) + 6


def test_an_export_of_every_release_is_read(tmp_path: Path) -> None:
    """All rows of it, once."""
    golden, expected = released(tmp_path, "v2")
    store = Store(tmp_path / "empty")
    assert store.import_(golden.folder / "all.export") == {
        table: len(rows) for table, rows in expected.items() if rows
    }
    assert store.import_(golden.folder / "all.export") == {}
    found = json.loads(json.dumps(content(store), default=str))
    named = [[*row[:-1], "all.export"] for row in expected["runs"]]  # where it came from, last
    assert found["runs"] == named
    assert found["labels"] == expected["labels"]


def test_a_newer_store_is_read_and_not_written(store: Store) -> None:
    """R11: one sentence on writing, a warning on reading, and not a byte of it changes."""
    import duckdb

    store.merge()
    store.close()
    with duckdb.connect(str(store.folder / "store.duckdb")) as con:
        con.execute("alter table runs add column mood text")
        con.execute("update runs set mood = 'fine'")
    (store.folder / "SCHEMA").write_text(f"{SCHEMA + 1}\n")
    before = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}
    newer = Store(store.folder)
    with pytest.raises(StoreError, match="newer release"):
        newer.append("study_events", [{"study_id": "s", "event_at": AT, "event": "x"}])
    with pytest.warns(RuntimeWarning, match="newer release"):
        assert newer.rows("select count(*), count(mood) from runs") == [(9, 9)]
    with pytest.raises(StoreError, match="newer release"):
        newer.purge(["s1-e0"])
    for act in (newer.merge, newer.archive, newer.verify, newer.repair):
        act()
    assert {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()} == before


def test_upkeep_beside_another_archiver_does_nothing(store: Store) -> None:
    """One process at a time rewrites the archive; the other leaves it."""
    assert upkeep.archive_sealed(store.folder / "nowhere", {}) == 0
