"""The folder of saved copies keeps nothing that killed processes left half written."""

from __future__ import annotations

import os
import time
from pathlib import Path

from promptops.registry import saved_copy


def test_what_killed_writers_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """And what another process is writing now, or another program keeps there, stays."""
    hours_ago = time.time() - 2 * 3600
    for name in (".copy-old", ".copy-empty", ".copy-now", ".other-old", "a.json"):
        (tmp_path / name).write_bytes(b"" if name == ".copy-empty" else b"x")
        if name != ".copy-now":
            os.utime(tmp_path / name, (hours_ago, hours_ago))
    saved_copy.put(str(tmp_path / "b.json"), b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {
        ".copy-now",
        ".other-old",
        "a.json",
        "b.json",
    }
    assert (tmp_path / "b.json").read_bytes() == b"whole"
