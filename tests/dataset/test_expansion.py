"""S24: compressed inputs are bounded by what they expand to, and a long CSV cell is read the first
time as the second, with the process's own limit as it was.
"""

from __future__ import annotations

import csv
import resource
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptops.dataset import Dataset
from promptops.dataset.expansion import within_cells
from promptops.dataset.frames import open_parquet
from promptops.errors import DatasetError
from promptops.exchange.promptfoo_files import csv_tests
from promptops.store import Store

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    "{rows}</sheetData></worksheet>"
)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def parquet(kind: str, path: Path) -> Path:
    if kind == "many rows":
        column = pa.nulls(70_000_000, pa.int8())
    elif kind == "long lists":
        values = pa.array([0] * 20_000_000, pa.int64())
        column = pa.ListArray.from_arrays(pa.array([0, 10_000_000, 20_000_000]), values)
    else:
        few = pa.array([0] * 300_000, pa.int32())
        column = pa.DictionaryArray.from_arrays(few, pa.array(["A" * 100_000]))
    pq.write_table(pa.table({"x": column}), path, compression="zstd")
    return path


@pytest.mark.parametrize("kind", ["equal texts", "many rows", "long lists"])
def test_a_parquet_bomb_is_refused_before_it_expands(tmp_path: Path, kind: str) -> None:
    path = parquet(kind, tmp_path / "b.parquet")
    assert path.stat().st_size < 300_000
    before = peak_mb()
    with pytest.raises(DatasetError, match="expands to more than"):
        Dataset.read(path)
    assert peak_mb() - before < 400  # 7 kB ask for 300 GB


def test_an_honest_parquet_file_is_read(tmp_path: Path) -> None:
    """Long equal texts compress well, and are still an honest file."""
    rows = pa.table({"context": ["word " * 1_000] * 2_000, "n": list(range(2_000))})
    pq.write_table(rows, tmp_path / "a.parquet", compression="zstd")
    assert len(Dataset.read(tmp_path / "a.parquet")) == 2_000


def test_long_lists_are_refused_before_a_row_is_read(tmp_path: Path) -> None:
    """What is in lists is counted by the metadata: 3 kB took 2 GB and 18 s before a row came."""
    with pytest.raises(DatasetError, match="expands to more than"):
        open_parquet(parquet("long lists", tmp_path / "b.parquet"))


def test_lists_of_numbers_are_no_bomb(tmp_path: Path) -> None:
    """As embeddings are."""
    lists = [[float(n * k % 977) for k in range(256)] for n in range(500)]
    pq.write_table(
        pa.table({"q": [f"q{n}" for n in range(500)], "v": lists}), tmp_path / "a.parquet"
    )
    assert len(Dataset.read(tmp_path / "a.parquet")) == 500


def workbook(path: Path, sheet: str) -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["ticket"])
    book.save(path)
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts["xl/worksheets/sheet1.xml"] = sheet.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, body in parts.items():
            new.writestr(name, body)
    return path


def test_a_workbook_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", SHEET.format(rows="<!--" + " " * 70_000_000 + "-->"))
    assert path.stat().st_size < 100_000
    with pytest.raises(DatasetError, match="expands to more than"):
        Dataset.read(path)


def test_one_shared_text_in_many_cells_is_refused_on_the_way() -> None:
    """The XML is small; what the cells hold is not."""
    taken: list[None] = []
    rows = within_cells((("a" * 30_000, None) for _ in range(100_000)), 40_000, "b.xlsx")
    with pytest.raises(DatasetError, match="expands to more than"):
        taken.extend(None for _ in rows)
    assert len(taken) < 2_500


def test_a_long_cell_is_read_the_first_time_and_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("document,expected\n" + "a" * 140_000 + ",b\nshort,c\n")
    own = csv.field_size_limit(131_072)
    try:
        for _ in range(2):
            read = Dataset.read(path)
            assert [sorted(e.inputs) for e in read] == [["document"], ["document"]]
        assert [len(test["vars"]["document"]) for test in csv_tests(path.read_text(), "x")] == [
            140_000,
            5,
        ]
        assert csv.field_size_limit() == 131_072
    finally:
        csv.field_size_limit(own)


def test_a_query_is_bounded_in_memory_and_time(tmp_path: Path) -> None:
    """It may take 2 GB, and an order to end is repeated until heard."""
    from promptops.errors import StoreError

    store = Store(tmp_path / "store")
    limit = "select current_setting('memory_limit')"
    assert store.sql(limit).iloc[0, 0] == "1.8 GiB"
    with pytest.raises(StoreError, match="longer than"):
        store.sql("select count(*) from range(3000000000) a, range(90000) b", timeout_s=0.05)
