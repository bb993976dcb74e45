"""The added rules cost at most two points of power, and a rule that costs more is seen."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="module")
def power() -> Any:
    """The command's module."""
    folder = Path(__file__).parent
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        spec = importlib.util.spec_from_file_location("simulate_power", folder / "power.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["simulate_power"] = module
        spec.loader.exec_module(module)
    return module


def test_what_was_found_is_found(power: Any) -> None:
    """The whole decision beside the bare test of 0.1, on the same studies."""
    rows = list(power.table(25))
    assert len(rows) == 9
    assert [row.name for row in rows if not row.holds] == []
    assert all(row.now <= row.before for row in rows)
    assert all(row.before > 0.2 for row in rows)


def test_a_rule_that_costs_power_is_seen(power: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """E of 20 or more in the place of the fixed test, as for a second judgement."""
    from size_row import e_of

    monkeypatch.setattr(power, "of_counts", lambda won, lost, n: e_of(won, lost) >= 20)
    row = power.plain(np.random.default_rng(1), 200, 100, 0.15, 0.05)
    assert not row.holds
