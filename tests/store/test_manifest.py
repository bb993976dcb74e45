"""R15: what this package keeps about its rows is read by shape; damage to it is named and mended,
and costs no row.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from promptops.store import Store
from promptops.store.manifest import MANIFEST, Unreadable, read_manifest

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
COUNT = "select count(*) from study_events"


def event(number: int) -> dict[str, object]:
    return {"study_id": "s", "event_at": f"2026-01-01T00:00:{number:02}", "event": "began"}


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of twelve rows whose segments are all in the archive."""
    folder = tmp_path_factory.mktemp("archived") / "store"
    store = Store(folder)
    store.append("study_events", [event(number) for number in range(12)])
    store.close()
    assert store.archive() == 1
    return folder


@pytest.fixture
def store(archived: Path, tmp_path: Path) -> Store:
    shutil.copytree(archived, tmp_path / "store")
    return Store(tmp_path / "store")


def manifest_of(store: Store) -> Path:
    (found,) = (store.folder / "archive").glob(f"*/{MANIFEST}")
    return found


def test_every_damaged_byte_of_a_manifest_is_seen(store: Store) -> None:
    """A flipped bit either leaves the same content (a blank for a blank) or is refused."""
    path = manifest_of(store)
    sound, whole = path.read_bytes(), read_manifest(path.parent)
    seen = 0
    for place in range(len(sound)):
        for bit in (0x01, 0x20):
            changed = bytearray(sound)
            changed[place] ^= bit
            path.write_bytes(changed)
            try:
                assert read_manifest(path.parent) == whole, f"byte {place}"
            except Unreadable:
                seen += 1
    assert seen > len(sound)


@pytest.mark.parametrize(
    "damage",
    [b"[", b"", b"null", b"[]", b'{"segments": 1}', b"\xff\xfe", b"[" * 100_000, None],
    ids=lambda value: "removed" if value is None else value[:8].decode("latin-1") or "emptied",
)
def test_a_damaged_manifest_bricks_nothing(store: Store, damage: bytes | None) -> None:
    """Rows are read and written, the doctor names the file, and repair makes it again."""
    path = manifest_of(store)
    path.unlink() if damage is None else path.write_bytes(damage)
    assert store.rows(COUNT) == [(12,)]
    store.append("study_events", [event(30)])
    assert store.rows(COUNT) == [(13,)]
    assert any(str(path.parent) in line for line in store.verify())
    done = store.repair()
    assert any(MANIFEST in line for line in done)
    assert not any("still wrong" in line for line in done)
    assert Store(store.folder).rows(COUNT) == [(13,)]
    (store.folder / "store.duckdb").unlink()
    assert Store(store.folder).rows(COUNT) == [(13,)]


def test_a_manifest_that_is_damaged_beside_a_lost_database_loses_nothing(store: Store) -> None:
    """The Parquet files alone hold the rows: what is left out is said, and repair finds it."""
    manifest_of(store).write_bytes(b"{")
    (store.folder / "store.duckdb").unlink()
    with pytest.warns(RuntimeWarning, match="is left out"):
        assert Store(store.folder).rows(COUNT) == [(0,)]
    store.repair()
    assert Store(store.folder).rows(COUNT) == [(12,)]
    assert Store(store.folder).verify() == []


def test_a_batch_that_does_not_read_is_set_aside(store: Store) -> None:
    """Manifest and Parquet are both damaged: the database still has the rows."""
    path = manifest_of(store)
    path.write_bytes(b"{")
    (path.parent / "study_events.parquet").write_bytes(b"PAR1")
    store.repair()
    assert Store(store.folder).verify() == []
    assert Store(store.folder).rows(COUNT) == [(12,)]


def test_a_manifest_of_release_0_1_reads(store: Store) -> None:
    path = manifest_of(store)
    found = json.loads(path.read_text())
    del found["checksum"]
    path.write_text(json.dumps(found))
    assert store.verify() == []


@pytest.mark.parametrize("name", ["archive", "aside", "store.duckdb", "purged.json"])
def test_nothing_is_written_through_a_symlink(store: Store, tmp_path: Path, name: str) -> None:
    """A folder that came with a checkout may lead anywhere."""
    target, link = tmp_path / "elsewhere", store.folder / name
    target.mkdir() if name in ("archive", "aside") else target.write_bytes(b"")
    if name == "archive":
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    store.append("study_events", [event(40)])
    store.close()
    store.archive()
    assert store.rows(COUNT)[0][0] in (1, 13)
    if name != "store.duckdb":  # the link itself was set aside as it was opened
        assert any(str(link) in line for line in store.verify())
    store.repair()
    assert Store(store.folder).verify() == []
    assert not link.is_symlink()
    assert (os.listdir(target) if target.is_dir() else target.read_bytes()) in ([], b"")


@pytest.mark.parametrize("name", ["turn.lock", "archive.lock"])
@pytest.mark.parametrize("there", [False, True])
def test_a_lock_is_not_made_where_a_link_leads(
    store: Store, tmp_path: Path, name: str, there: bool
) -> None:
    """An empty file elsewhere may mean something to another program."""
    target, link = tmp_path / "elsewhere", store.folder / name
    if there:
        target.write_bytes(b"words")
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    store.append("study_events", [event(40)])
    store.close()
    store.archive()
    assert store.rows(COUNT)
    assert (target.read_bytes() if target.exists() else None) == (b"words" if there else None)
    assert not link.is_symlink()


@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_a_killed_writers_segment_that_is_gone_is_reported(tmp_path: Path, how: str) -> None:
    """It left no last word, and nobody had merged it."""
    store = Store(tmp_path / "store")
    store.append("study_events", [event(1)])
    (path,) = (store.folder / "segments").glob("*.jsonl")
    killed = tmp_path / "killed"  # as the disk is where the process ends now
    shutil.copytree(store.folder, killed)
    path = killed / "segments" / path.name
    path.unlink() if how == "removed" else path.write_bytes(b"")
    assert sum(f"the segment {path.stem} reached" in line for line in Store(killed).verify()) == 1
    Store(killed).repair()
    assert Store(killed).verify() == []
