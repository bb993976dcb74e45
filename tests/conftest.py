"""What several tests share: a lab in a folder of its own, and small prompts and tickets for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CLEARED = (
    "PROMPTOPS_REGISTRY",
    "PROMPTOPS_ENV",
    "PROMPTOPS_USER",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a developer's keys or registry."""
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Labs in folders of this test; their threads end with it."""
    from promptops.lab import Lab

    made: list[Any] = []

    def make(folder: str = "project", **options: Any) -> Any:
        made.append(Lab(tmp_path / folder, **options))
        return made[-1]

    yield make
    for lab in made:
        lab.project.loop.close()
        lab.store.close()
