"""The size table holds with 2,000 studies per row, and each rule is needed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

STUDIES = 2000
pytestmark = pytest.mark.timeout(900)  # a minute of one core, on a machine that may be busy


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    """Every row of the table, by the command's own functions."""
    folder = Path(__file__).parent
    monkeypatched = pytest.MonkeyPatch()
    monkeypatched.syspath_prepend(str(folder))  # as for a script: its parts lie beside it
    spec = importlib.util.spec_from_file_location("simulate_verdicts", folder / "verdicts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulate_verdicts"] = module
    spec.loader.exec_module(module)
    return list(module.table(STUDIES, sizes=(100,)))


def test_every_row_holds(rows: list[Any]) -> None:
    """The 99 % lower bound of each rate is within its limit."""
    assert len(rows) == 49
    assert [row.name for row in rows if not row.holds] == []


@pytest.mark.parametrize("m", [2, 3, 5])
def test_early_stopping_is_within_what_is_counted_out(rows: list[Any], m: int) -> None:
    """The simulated rate of m candidates is not above m times the counted chance of one."""
    found = {row.name: row for row in rows}
    simulated = found[f"early stopping, {m} candidates"]
    bound = found[f"early stopping, at most, {m} candidates"]
    assert bound.studies is None
    assert 0 < bound.rate <= bound.limit
    assert simulated.lower(simulated.rate) <= bound.rate


@pytest.mark.parametrize(
    "rule",
    [
        "0/1, n = 100",
        "3 repeats",
        "1 to 3 repeats",
        "skewed",
        "clusters 50",
        "clusters zipf",
        "clusters 100 + 20x5",
        "clusters 100 + 20x2",
        "clusters 200",
        "5 candidates in one study",
        "20 candidates in one study",
        "5 candidates in 5",
        "20 candidates in 20",
        "5 judgements",
        "data grown 5",
        "2 % left out, n = 100",
        "a slice that loses its margin",
        "held back by one of 10",
        "gains that vary over 6",
        "gains that vary over 18",
        "a gain shown to depend",
        "weighed by use, alike",
        "not worse by weight",
        "heavy lose, light win",
        "early stopping, 1",
        "early stopping, 2",
        "early stopping, 3",
        "early stopping, 5",
        "early stopping, at most",
    ],
)
def test_a_row_without_its_rule_is_seen_to_fail(rows: list[Any], rule: str) -> None:
    """The table can fail: each rule left out breaks a row of its kind."""
    found = [row for row in rows if row.name.startswith(rule)]
    assert found
    assert any(row.breaks for row in found), [(row.name, row.broken) for row in found]
