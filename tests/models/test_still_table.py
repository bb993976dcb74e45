"""A table of pandas is read while other threads add columns to it: pandas' own reading of it then
writes beyond the end of what it keeps, which ends the process.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from promptops.models.object_state import edited_in
from promptops.models.still_table import still_frame
from promptops.models.written_state import WrittenPlace

_READ_WHILE_WRITTEN = """
    import sys, threading, time, warnings

    import pandas as pd
    from promptops.models.object_state import edited_in
    from promptops.models.written_state import WrittenPlace

    warnings.simplefilter("ignore")
    sys.setswitchinterval(1e-5)
    ended = time.monotonic() + 20
    for number in range(8):
        table = pd.DataFrame({"t": ["a"] * 50})
        read, threads, lock = [], [], threading.Lock()

        def written(name):
            for each in range(20):
                with lock:  # as pandas asks of those who write
                    table[f"{name}_{each}"] = 1
                    table["t"].iloc[0]
                time.sleep(0.0002)

        def reading():
            place = WrittenPlace(table, "", lambda: table)
            while any(each.is_alive() for each in threads) and time.monotonic() < ended:
                read.append((place.parts(), edited_in(table)))

        threads += [threading.Thread(target=written, args=(name,)) for name in range(4)]
        readers = [threading.Thread(target=reading) for _ in range(2)]
        for each in (*threads, *readers):
            each.start()
        for each in (*threads, *readers):
            each.join()
        assert any(parts for parts, _ in read), "none was read"
"""


def test_a_table_that_threads_add_columns_to_is_read_without_ending_the_process(
    tmp_path: Path,
) -> None:
    script = tmp_path / "read.py"
    script.write_text(textwrap.dedent(_READ_WHILE_WRITTEN), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def _in_the_middle_of_a_change(table: pd.DataFrame) -> Callable[[], None]:
    """Leave a table as it is between two steps of adding a column; the rest of them."""
    manager = table.__reduce_ex__(4)[2]["_mgr"]
    whole = manager.axes[0]
    manager.axes[0] = whole[:-1]

    def go_on() -> None:
        manager.axes[0] = whole

    return go_on


def test_a_table_in_the_middle_of_a_change_is_read_when_it_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]})
    go_on = _in_the_middle_of_a_change(table)
    monkeypatch.setattr(time, "sleep", lambda _: go_on())  # when the other thread has its turn
    parts = WrittenPlace(table, "", lambda: table).parts()
    assert {path for _, path in parts} == {"", "['a']", "['b']", "['c']"}


def test_a_table_that_threads_have_broken_is_not_read() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]})
    _in_the_middle_of_a_change(table)
    assert WrittenPlace(table, "", lambda: table).parts() == {}
    assert edited_in(table) == []
    with pytest.raises(RuntimeError, match="changed size"):
        still_frame(table)


_TABLES = {
    "of one type": pd.DataFrame({"a": [1, 2], "b": [3, 4]}),
    "of several": pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]}),
    "with a column inserted": pd.DataFrame({"a": [1], "c": [2]}),
    "of categories and dates": pd.DataFrame(
        {
            "a": pd.Categorical(["x", "y"]),
            "b": pd.date_range("2026-01-01", periods=2),
            "c": pd.array([1, None], dtype="Int64"),
        }
    ),
    "with objects": pd.DataFrame({"a": [print, None]}),
    "with a name twice": pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
    "without rows": pd.DataFrame({"a": []}),
    "without columns": pd.DataFrame(index=[1, 2]),
    "by two names": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["a"], [1, 2]])),
}
_TABLES["with a column inserted"].insert(1, "b", 5)


@pytest.mark.parametrize("name", _TABLES)
def test_a_still_table_is_equal_and_pickles_as_a_copy_does(name: str) -> None:
    table = _TABLES[name]
    pd.testing.assert_frame_equal(still_frame(table), table)
    assert edited_in(table) == edited_in(table.copy())


def test_an_edit_of_a_still_table_is_none_of_the_table() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    still = still_frame(table)
    still["c"] = 1
    table.insert(0, "z", 2)
    assert (list(still), list(table)) == (["a", "b", "c"], ["z", "a", "b"])


def test_each_column_of_a_table_is_a_part() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    place = WrittenPlace(table, "", lambda: table)
    before = place.parts()
    table.loc[0, "a"] = 7
    now = place.parts()
    assert {path for (_, path) in now if before[id(table), path] != now[id(table), path]} == {
        "['a']"
    }
