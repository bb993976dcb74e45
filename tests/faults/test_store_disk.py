"""R5 to R9: other holders, torn tails, full disks, vanishing folders and damaged files cost nothing
but a warning.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import StoreError
from promptops.store import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits, modes and signals")


def event(name: object, size: int = 0) -> dict[str, Any]:
    return {
        "study_id": "s",
        "event_at": "2026-01-01T00:00:00",
        "event": str(name),
        "detail": "x" * size,
    }


def count(store: Store) -> int:
    return int(store.rows("select count(*) from study_events")[0][0])


def python(code: str, *words: object) -> subprocess.Popen[str]:
    """A process that has printed its first line."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline()
    return child


HOLDER = (
    "import duckdb, sys\ncon = duckdb.connect(sys.argv[1], read_only=sys.argv[2] =="
    " 'read')\nprint('held', flush=True)\nsys.stdin.read()"
)
TURN = (
    "import sys, time\nfrom pathlib import Path\nfrom promptops.store.database import"
    " Database\nwith Database(Path(sys.argv[1])).writing():\n    print('held', flush=True)\n   "
    " time.sleep(600)"
)


@pytest.mark.parametrize("how", ["write", "read"])
def test_a_foreign_tool_that_holds_the_file_is_a_warning(tmp_path: Path, how: str) -> None:
    """R5: recording goes on at once, every row is read, and the warning names the holder's process;
    later all is merged.
    """
    store = Store(tmp_path)
    store.append("study_events", [event(n) for n in range(100)])
    store.merge()
    holder = python(HOLDER, tmp_path / "store.duckdb", how)
    try:
        took = []
        for n in range(100, 600):
            began = time.perf_counter()
            store.append("study_events", [event(n)])
            took.append(time.perf_counter() - began)
        with pytest.warns(RuntimeWarning, match=rf"process {holder.pid}"):
            assert count(store) == 600
        store.append("study_events", [event("late")])
        assert count(store) == 601
        with pytest.warns(RuntimeWarning, match=rf"process {holder.pid}"):
            assert count(Store(tmp_path)) == 601
        assert store.merge() == 0
        assert len(store.sql("select * from study_events")) == 601
        # p99 of 50 ms in the best of five rounds: a wait for the holder would be in each of them,
        # what else the machine does is not
        assert min(sorted(took[at : at + 100])[-2] for at in range(0, 500, 100)) <= 0.05
    finally:
        holder.communicate("")
    assert store.merge() == 501
    assert count(store) == 601
    store.close()
    assert not any((tmp_path / "scratch").iterdir())


def p99_ms(store: Store, rows: int) -> float:
    """Of recording so many rows of a kilobyte one by one; the best of three rounds, since other
    work on the machine is nobody's wait.
    """
    rounds = []
    for _ in range(3):
        took = []
        for n in range(rows):
            began = time.perf_counter()
            store.append("study_events", [event(n, 1_000)])
            took.append(1e3 * (time.perf_counter() - began))
        took.sort()
        rounds.append(took[rows * 99 // 100])
        print(
            f"record: p50 {took[rows // 2]:.3f} ms, p99 {rounds[-1]:.3f} ms, worst"
            f" {took[-1]:.1f} ms"
        )
    return min(rounds)


@pytest.fixture
def stopped_merger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store whose DuckDB file a process of our own holds, stopped in mid-merge."""
    monkeypatch.setattr("promptops.store.database.WAIT_S", 0.2)
    store = Store(tmp_path)
    store.append("study_events", [event(0)])
    store.merge()
    merger = python(TURN, tmp_path / "store.duckdb")
    os.kill(merger.pid, signal.SIGSTOP)
    try:
        yield store
    finally:
        merger.kill()
        merger.wait()


def test_recording_never_waits_for_who_holds_the_file(stopped_merger: Store) -> None:
    """R5: p99 ≤ 50 ms, while a merger is stopped."""
    assert p99_ms(stopped_merger, 500) <= 50


@pytest.mark.benchmark
def test_record_p99_while_another_process_holds_the_file(stopped_merger: Store) -> None:
    """R5 with ten times the rows."""
    assert p99_ms(stopped_merger, 5_000) <= 50


def test_a_recorder_that_merges_is_noticed(
    stopped_merger: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of the two above: one that waits for its turn at the file takes longer."""
    real = Store.append_all

    def merging(self: Store, tables: Any) -> None:
        self.merge()
        real(self, tables)

    monkeypatch.setattr(Store, "append_all", merging)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert p99_ms(stopped_merger, 3) > 50


def test_a_merger_of_ours_that_is_stopped_holds_nobody_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R5: a stopped process keeps its turn, so the rows come from the segments."""
    monkeypatch.setattr("promptops.store.database.WAIT_S", 0.5)
    store = Store(tmp_path)
    store.append("study_events", [event(n) for n in range(10)])
    store.merge()
    merger = python(TURN, tmp_path / "store.duckdb")
    os.kill(merger.pid, signal.SIGSTOP)
    try:
        store.append("study_events", [event("more")])
        with pytest.warns(RuntimeWarning, match="nothing is lost"):
            assert count(store) == 11
    finally:
        merger.kill()
        merger.wait()
    assert count(Store(tmp_path)) == 11


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_segment_costs_the_records_that_were_hit(tmp_path: Path, seed: int) -> None:
    """R6, end to end: cut or flipped at random, all other rows are merged and the loss is counted
    and shown.
    """
    rng = random.Random(seed)
    store = Store(tmp_path)
    store.append("study_events", [event(n, 50) for n in range(20)])
    store.close()
    (path,) = (tmp_path / "segments").iterdir()
    data = bytearray(path.read_bytes())
    starts = [place + 1 for place, byte in enumerate(data) if byte == 10][:-1]
    position = rng.randrange(starts[10], len(data) - 1)
    hit = sum(start <= position for start in starts) - 1
    if seed % 2:
        data[position] ^= 1 << rng.randrange(8)
    else:
        del data[position:]
    path.write_bytes(data)
    store = Store(tmp_path)
    found = {int(name) for (name,) in store.rows("select event from study_events")}
    expected = set(range(20)) - {hit} if seed % 2 else set(range(hit))
    whole = hit_a_newline(seed, position, starts, len(data))
    assert found == (expected | {hit} if whole else expected), position
    lines = store.verify()
    assert (
        bool(store.stats()["damaged_records"])
        == bool(lines)
        == (not whole and bool(seed % 2 or position not in starts))
    )


def hit_a_newline(seed: int, position: int, starts: list[int], size: int) -> bool:
    """Whether a flip hit the newline behind a record, which costs nothing."""
    return bool(seed % 2) and (position + 1 in starts or position == size - 1)


FULL = """
import json, resource, signal, sys, time, warnings
from promptops.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(sys.argv[1])
row = lambda n: {"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": str(n), "detail": "x" * 997}
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_123, hard))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for n in range(200):
        store.append("study_events", [row(n)])
    full = store.stats()["pending_bytes"], store.rows("select count(*) from study_events")[0][0]
    try:
        store.flush()
        flushed = True
    except OSError:
        flushed = False
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    until = time.monotonic() + 20
    while store.stats()["pending_bytes"] and time.monotonic() < until:
        time.sleep(0.05)
print(json.dumps([full, flushed, store.stats()["pending_bytes"], [str(one.message) for one in said]]))
"""


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """R7: the file may not grow; results are still taken, readable and said, and written when there
    is room again.
    """
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    (pending, seen), flushed, left, said = json.loads(done.stdout)
    assert pending > 100_000
    assert seen == 200
    assert not flushed
    assert left == 0
    assert any("kept in memory" in text for text in said)
    assert any("works again" in text for text in said)
    store = Store(tmp_path)
    assert store.rows("select count(*), count(distinct event) from study_events") == [(200, 200)]
    assert store.verify() == []


LEVELS = """
import json, resource, signal, sys, warnings
from pathlib import Path
from promptops.store import Store
warnings.simplefilter("ignore")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
row = lambda n: {"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": str(n)}
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
def look(act):
    try:
        return act()
    except Exception as error:
        return f"{type(error).__module__}.{type(error).__name__}"
for kib in map(int, sys.argv[2:]):
    store = Store(Path(sys.argv[1], str(kib)))
    store.append("study_events", [row(1)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (kib << 10, hard))
    try:
        store.append("study_events", [row(2)])
        count = lambda: store.rows("select count(*) from study_events")[0][0]
        said = look(count), look(store.merge), type(look(store.verify)).__name__
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.flush()
    print(json.dumps([kib, *said, look(count), look(store.verify)]))
"""


@pytest.mark.parametrize(
    "levels",
    [
        (16, 22),
        pytest.param(tuple(range(0, 400, 4)), marks=[pytest.mark.soak, pytest.mark.timeout(1_000)]),
    ],
    ids=["two", "hundred"],
)
def test_any_fill_level_of_a_disk_degrades_as_a_full_one_does(
    tmp_path: Path, levels: tuple[int, ...]
) -> None:
    """R16: with any room left for the DuckDB file, before it exists: every row is seen, and merge
    and verify raise nothing of DuckDB's; with room again all is whole.
    """
    done = subprocess.run(
        [sys.executable, "-B", "-c", LEVELS, str(tmp_path), *map(str, levels)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(levels)
    for kib, seen, merged, verified, later, faults in lines:
        assert seen == 2, (kib, seen)
        assert not str(merged).startswith("_duckdb"), (kib, merged)
        assert verified == "list", (kib, verified)
        assert (later, faults) == (2, []), (kib, later, faults)


def test_a_folder_that_cannot_be_made_degrades_to_memory(tmp_path: Path) -> None:
    """R8: a file is in the folder's place; the rows are there for this process, and written
    once it is gone.
    """
    (tmp_path / "store").write_text("in the way")
    store = Store(tmp_path / "store")
    with pytest.warns(RuntimeWarning, match="kept in memory"):
        store.append("study_events", [event(1)])
    store.append("study_events", [event(2)])
    assert count(store) == 2
    assert len(store.sql("from study_events")) == 2
    (tmp_path / "store").unlink()
    with pytest.warns(RuntimeWarning, match="works again"):
        store.append("study_events", [event(3)])
    assert count(Store(tmp_path / "store")) == 3


READ_ONLY = """
import os, sys, warnings
import duckdb, numpy, pandas, pyarrow.json, re2  # while they can be read
from pathlib import Path
from promptops.store import Store
row = lambda n: {"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": str(n)}
folder = Path(sys.argv[1])
if os.geteuid() == 0:  # root may write anywhere
    os.chown(folder, 65534, 65534)
    os.setegid(65534)
    os.seteuid(65534)
store = Store(folder / "store")
store.append("study_events", [row(1)])
if sys.argv[2] == "merged":
    store.merge()
store.close()
folders = [path for path in (folder / "store").rglob("*") if path.is_dir()] + [folder / "store"]
for path in folders:
    path.chmod(0o555)
reader = Store(folder / "store")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    assert reader.rows("select count(*) from study_events") == [(1,)]
    reader.append("study_events", [row(2)])
    assert any("kept in memory" in str(one.message) for one in said), said
    assert reader.rows("select count(*) from study_events") == [(2,)]
    assert reader.merge() == 0
    assert any("wait in the memory" in line for line in reader.verify()), reader.verify()
for path in folders:
    path.chmod(0o755)
reader.flush()
assert Store(folder / "store").rows("select count(*) from study_events") == [(2,)]
assert reader.verify() == []
"""


@pytest.mark.skipif(sys.platform == "darwin", reason="names there are UTF-8")
def test_a_folder_whose_name_is_not_utf8_is_read_from_its_segments(tmp_path: Path) -> None:
    """DuckDB takes paths in UTF-8 alone: no look raises its own error, every row is seen, and the
    doctor's one line names the folder. A process that read another store before is the harder case.
    """
    for name in (b"plain", b"caf\xe9"):
        store = Store(tmp_path / os.fsdecode(name) / "store")
        store.append("study_events", [event(1)])
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert count(store) == 1
            store.merge()
            assert count(store) == 1
            faults = store.verify()
        store.close()
        assert (faults, said) == ([], []) if name == b"plain" else len(faults) == 1
    assert "is not UTF-8" in faults[0]
    assert len([each for each in said if "is not UTF-8" in str(each.message)]) == 1
    assert count(Store(store.folder)) == 1


@pytest.mark.parametrize("state", ["merged", "unmerged"])
def test_a_read_only_folder_degrades_to_memory(state: str) -> None:
    """R8: chmod 555; what is there is read, what is new is kept and seen, and written once it may
    be.
    """
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # outside pytest's own, which no other user may enter
        os.chmod(folder, 0o755)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, folder, state],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_removed_on_the_way_is_made_again(tmp_path: Path) -> None:
    """R8: nothing this process recorded is lost, also what had been written to the removed file."""
    store = Store(tmp_path / "store")
    store.append("study_events", [event(1)])
    assert count(store) == 1
    shutil.rmtree(tmp_path / "store")
    with pytest.warns(RuntimeWarning, match="was removed"):
        store.append("study_events", [event(2)])
    assert count(store) == 2
    store.flush()
    assert count(Store(tmp_path / "store")) == 2
    assert store.verify() == []


def test_a_symlinked_spool_is_not_followed(tmp_path: Path) -> None:
    """S7: the segments are written in the store's own folder or not at all."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "segments").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="symlink"):
        Store(tmp_path / "store").append("study_events", [event(1)])
    assert list((tmp_path / "elsewhere").iterdir()) == []


CRASH = """
import os, sys
from promptops.store import Store, database as module
opened = module.Database._checked
def unclean(self):
    con = opened(self)
    con.execute("PRAGMA disable_checkpoint_on_shutdown")
    con.execute("SET checkpoint_threshold = '1GB'")
    return con
module.Database._checked = unclean
store = Store(sys.argv[1])
for turn in range(5):
    store.append("study_events", [{"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": f"{turn}/{n}", "detail": "z" * 40} for n in range(40)])
    store.merge()
os._exit(0)
"""


def damage_wals(tmp_path: Path, cases: int) -> None:
    made = tmp_path / "made"
    first = Store(made)
    first.append("study_events", [event("first")])
    first.merge()
    first.close()
    assert subprocess.run([sys.executable, "-c", CRASH, str(made)], timeout=60).returncode == 0
    size = (made / "store.duckdb.wal").stat().st_size
    assert size > 1_000
    rng = random.Random(9)
    aside = short = 0
    for case in range(cases):
        folder = tmp_path / "case"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
        wal = folder / "store.duckdb.wal"
        position = size * case // cases + rng.randrange(max(1, size // cases))
        data = bytearray(wal.read_bytes())
        if case % 2:
            data[position] ^= 1 << rng.randrange(8)
        else:
            del data[position:]
        wal.write_bytes(data)
        store = Store(folder)
        assert count(store) == 201, f"case {case}, byte {position}"
        assert store.verify() == [], f"case {case}, byte {position}"
        kept = (
            [path for path in (folder / "aside").iterdir() if path.name.endswith(".wal")]
            if (folder / "aside").exists()
            else []
        )
        assert all(path.read_bytes() == bytes(data) for path in kept)
        aside += bool(kept)
        short += not kept
    print(f"{cases} damaged WALs: {aside} set aside, {short} opened silently")
    assert aside


@pytest.mark.filterwarnings("ignore:.*set aside.*")
def test_a_damaged_wal_never_means_fewer_rows(tmp_path: Path) -> None:
    """R9: cut or flipped anywhere, all rows are there; a WAL that cannot be replayed is set aside
    as it was.
    """
    damage_wals(tmp_path, 16)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:.*set aside.*")
def test_two_hundred_damaged_wals(tmp_path: Path) -> None:
    """R9 at a NIGHT figure."""
    damage_wals(tmp_path, 200)


@pytest.mark.filterwarnings("ignore:.*set aside.*")
@pytest.mark.parametrize("ruin", ["empty", "half", "noise", "text"])
def test_a_ruined_database_is_set_aside_and_rebuilt(tmp_path: Path, ruin: str) -> None:
    """R10: whatever is in its place, the rows come back from the segments, and the ruin is
    kept.
    """
    store = Store(tmp_path)
    store.append("study_events", [event(n) for n in range(50)])
    store.merge()
    path = tmp_path / "store.duckdb"
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "half": whole[: len(whole) // 2],
            "noise": random.Random(1).randbytes(len(whole)),
            "text": b"hello " * 5_000,
        }[ruin]
    )
    store = Store(tmp_path)
    assert count(store) == 50
    assert store.verify() == []
