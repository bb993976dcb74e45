"""R15: one flipped bit anywhere in the DuckDB file raises nothing raw and loses no row."""

from __future__ import annotations

import random
import shutil
import warnings
from pathlib import Path

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


@pytest.mark.soak
def test_many_flipped_bits_are_mended(whole: Path, tmp_path: Path) -> None:
    """The NIGHT figure."""
    flips(whole, tmp_path, 600)
