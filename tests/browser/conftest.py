"""The browser suite's own: where chromium or playwright is missing every test of this folder is
skipped, and says why.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import chromium, missing


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium a module."""
    why = missing()
    if why:
        pytest.skip(why)
    with chromium() as found:
        yield found
