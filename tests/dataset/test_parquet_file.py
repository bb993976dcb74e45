"""A Parquet file of a dataset reads back equal, whatever its cells hold."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptops.dataset import Dataset, Example

CELL = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(["q", "label", "n"]), CELL, min_size=1),
            CELL,
            st.lists(st.sampled_from(["a", "b"]), unique=True),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_it_reads_back_equal(
    rows: list[tuple[dict[str, object], object, list[str]]], tmp_path: Path
) -> None:
    data = Dataset.of(
        Example(f"e{n}", inputs, expected=golden, tags=tuple(tags))
        for n, (inputs, golden, tags) in enumerate(rows)
    )
    back = Dataset.read(data.write(tmp_path / "rows.parquet"))
    assert back.fingerprint == data.fingerprint
    assert [example.document() for example in back] == [example.document() for example in data]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("golden", [["", ""], ["", None], ["", "x"]])
def test_an_empty_golden_answer_is_one(
    tmp_path: Path, ending: str, golden: list[str | None]
) -> None:
    """Where all were empty, they had read back as none."""
    data = Dataset.of(
        Example(f"e{n}", {"q": str(n)}, expected=each) for n, each in enumerate(golden)
    )
    back = Dataset.read(data.write(tmp_path / f"rows.{ending}"))
    assert [example.expected for example in back] == golden
    assert back.fingerprint == data.fingerprint


def test_plain_columns_stay_native(tmp_path: Path) -> None:
    data = Dataset.read([{"id": "a", "q": "x", "n": 1}, {"id": "b", "q": "y", "n": 2}])
    frame = pandas.read_parquet(data.write(tmp_path / "rows.parquet"))
    assert list(frame["n"]) == [1, 2]
    assert list(frame["q"]) == ["x", "y"]


def test_a_foreign_file_is_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    pandas.DataFrame({"q": ["a"], "expected": ["b"]}).to_parquet(path)
    assert Dataset.read(path)[0].expected == "b"


def test_the_endings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.parquet"):
        Dataset.read([{"q": "a"}]).write(tmp_path / "x.txt")
