"""The page of limits is what its script prints, and its constants are those of the code."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from typing import Any

from promptops.store import recorder
from promptops.store.segment_records import encode

HERE = Path(__file__).parent


def script() -> Any:
    spec = importlib.util.spec_from_file_location("limits_script", HERE / "limits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["limits_script"] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_table_of_the_script() -> None:
    """Line by line; a live row takes the bytes that it reckons with."""
    limits = script()
    known = limits.Constants()
    page = HERE.parents[1] / "promptops" / "guide" / "scaling.md"
    assert limits.table(known) in page.read_text(encoding="utf-8")
    chance = random.Random(1)
    rows = [limits.live_row(chance) for _ in range(200)]
    size = len(encode("live", rows, lambda data: data)) / len(rows)
    assert abs(size - known.segment_bytes) < 0.05 * known.segment_bytes
    assert known.rotate_bytes == recorder.ROTATE
