"""R15: one flipped bit anywhere in the DuckDB file raises nothing raw and loses no row."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from promptops.store import Store

ROWS = 3_000


def damaged(whole: Path, target: Path, seed: int) -> Store:
    shutil.copytree(whole, target)
    file = target / "store.duckdb"
    data = bytearray(file.read_bytes())
    rng = random.Random(seed)
    for _ in range(4):  # most of a file is padding
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(data)
    return Store(target)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "store"
    store = Store(folder)
    store.append(
        "runs",
        [
            {
                "id": f"r-{n}",
                "key": f"k{n}",
                "example_id": f"e-{n}",
                "output": f"answer {n} " * 5,
                "started_at": "2026-01-01T00:00:00",
            }
            for n in range(ROWS)
        ],
    )
    store.merge()
    store.close()
    return folder


def flips(whole: Path, folder: Path, count: int) -> None:
    for seed in range(count):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            store = damaged(whole, folder / f"read-{seed}", seed)
            found = store.rows("select count(*), count(distinct output) from runs")
            assert found == [(ROWS, ROWS)], seed
            store.close()
            store = damaged(whole, folder / f"mend-{seed}", seed)
            store.verify()
            store.repair()
            assert store.verify() == [], seed
            assert store.rows("select count(distinct output) from runs") == [(ROWS,)], seed
            store.close()
        shutil.rmtree(folder / f"read-{seed}")
        shutil.rmtree(folder / f"mend-{seed}")


def test_a_flipped_bit_is_mended(whole: Path, tmp_path: Path) -> None:
    """Reading answers with every row, verify and repair name what was wrong and end clean."""
    flips(whole, tmp_path, 6)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.export(store.folder.parent / "all.jsonl")["runs"] == ROWS,
        lambda store: store.export(store.folder.parent / "all.parquet")["runs"] == ROWS,
        lambda store: store.import_(store.folder.parent / "whole.jsonl") == {},
        lambda store: store.purge(examples=["e-7"]).removed == {"runs": 1},
        lambda store: store.purge(before="2026-01-01T00:00:00").removed == {},
    ],
    ids=["export", "parquet", "import", "purge", "purge by age"],
)
def test_damage_that_is_met_in_the_rows_is_mended(
    whole: Path, tmp_path: Path, ask: Callable[[Store], bool]
) -> None:
    """The file opens, and its counts are right: exports, imports and purges had raised an error of
    our own making, each time that they were tried.
    """
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    Store(folder).export(tmp_path / "whole.jsonl")
    file = folder / "store.duckdb"
    with duckdb.connect(str(file), read_only=True) as con:
        blocks = con.execute(
            "SELECT DISTINCT block_id FROM pragma_storage_info('runs') WHERE block_id >= 0"
        ).fetchall()
    data = bytearray(file.read_bytes())
    for (block,) in blocks:
        data[3 * 4096 + block * 262_144 + 5_000] ^= 1
    file.write_bytes(data)
    store = Store(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ask(store)
    assert store.rows("select count(*) >= 2999, count(*) = count(distinct output) from runs") == [
        (True, True)
    ]
    assert store.rows("select count(*) from runs where example_id = 'e-7'")[0][0] <= 1


@pytest.mark.soak
def test_many_flipped_bits_are_mended(whole: Path, tmp_path: Path) -> None:
    """The NIGHT figure."""
    flips(whole, tmp_path, 600)
