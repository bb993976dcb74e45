"""What a purge hid in a living writer's segment stays hidden, whatever becomes of the one list."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptops.spool import segment
from promptops.store import Store, purges
from promptops.store.hidden import HIDDEN, drop_hidden, hidden_faults

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
RUNS = "select example_id from runs order by 1"


@pytest.fixture
def purged(tmp_path: Path) -> Iterator[Store]:
    """Two runs in the segment of another store that still writes; one of them was purged."""
    writer = Store(tmp_path / "store")
    rows = [
        {"id": f"r-{name}", "key": name, "version_id": "p", "example_id": name, "started_at": at}
        for name, at in (("kept", "2026-01-01T00:00:00"), ("doomed", "2026-01-01T00:00:01"))
    ]
    writer.append("runs", rows)
    store = Store(tmp_path / "store")
    store.merge()
    (listed,) = segment.segments(store.folder)
    purges.hide(store.folder, listed, purges.Doomed(frozenset({"r-doomed"})))
    (store.folder / "store.duckdb").unlink()
    assert Store(store.folder).rows(RUNS) == [("kept",)]
    assert hidden_faults(store.folder) == []
    yield Store(store.folder)
    writer.close()


def copy_of(store: Store) -> Path:
    (found,) = (store.folder / "segments").glob("*.purged")
    return found


@pytest.mark.parametrize("damage", [None, b"", b"null", b"{", b'[{"segment": 1}]', b"[1]", b"[]"])
@pytest.mark.parametrize("which", ["list", "copy"])
def test_either_of_the_two_keeps_it_hidden(purged: Store, which: str, damage: bytes | None) -> None:
    path = purged.folder / HIDDEN if which == "list" else copy_of(purged)
    path.unlink() if damage is None else path.write_bytes(damage)
    (purged.folder / "store.duckdb").unlink(missing_ok=True)
    assert Store(purged.folder).rows(RUNS) == [("kept",)]
    found = Store(purged.folder).verify()
    assert any(str(path) in line for line in found) or (which, damage) == ("copy", b"[]")
    done = Store(purged.folder).repair()
    assert not any("still wrong" in line for line in done)
    assert hidden_faults(purged.folder) == []
    shutil.rmtree(purged.folder / "aside", ignore_errors=True)
    (purged.folder / "store.duckdb").unlink(missing_ok=True)
    assert Store(purged.folder).rows(RUNS) == [("kept",)]


def test_every_flipped_byte_is_harmless(purged: Store) -> None:
    path = purged.folder / HIDDEN
    sound = path.read_bytes()
    for place in range(0, len(sound), 7):
        changed = bytearray(sound)
        changed[place] ^= 0x20
        path.write_bytes(changed)
        keep = purges.keep_of(purged.folder)
        assert keep is not None
        (listed,) = segment.segments(purged.folder)
        assert not keep(listed.name, 0, "runs", b'{"id": "r-doomed"}')
        assert keep(listed.name, 0, "runs", b'{"id": "r-kept"}')


def test_both_are_gone_with_their_segment(purged: Store) -> None:
    (listed,) = segment.segments(purged.folder)
    drop_hidden(purged.folder, {listed.name})
    assert hidden_faults(purged.folder) == []
    assert not list((purged.folder / "segments").glob("*.purged"))
