"""A world in which the model answers by heart and may change overnight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.errors import CallError
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.study.project import Project
from promptops.version import PromptVersion

N = 40


@dataclass
class World:
    """What the provider does today. wrong: questions that it answers wrong; broken: questions that
    get no answer; model, mark: what its replies name.
    """

    wrong: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)
    model: str = "m-1"
    mark: str = "fp_1"
    calls: int = 0

    def answer(self, request: dict[str, Any]) -> Reply:
        """The reply to "Say 7"."""
        self.calls += 1
        number = int(request["messages"][-1]["content"].split()[-1])
        if number in self.broken:
            raise CallError("no route to the host", failure="connection")
        said = "no" if number in self.wrong else f"yes {number}"
        return Reply(said, model=self.model or None, fingerprint=self.mark or None)


@pytest.fixture
def world() -> World:
    """The provider of this test."""
    return World()


@pytest.fixture
def project(tmp_path: Path, world: World) -> Iterator[Project]:
    """A project whose prod serves v1 of `triage`."""
    opened = open_project(tmp_path / "p", world)
    version = PromptVersion([{"role": "user", "content": "Say {{number}}"}], model="m")
    number = opened.registry.save("triage", version, author="Ada")
    opened.registry.promote("triage", number, "prod", author="Ada", force=True, reason="first")
    yield opened
    opened.close()


def open_project(folder: Path, world: World) -> Project:
    """The project of a folder, as another process or machine opens it."""
    return Project.open(folder, models={"m": ScriptedModel(world.answer)})


@pytest.fixture
def examples() -> Dataset:
    """Forty questions with their golden answers."""
    rows = [{"id": f"e{i:02}", "number": str(i), "expected": f"yes {i}"} for i in range(N)]
    return Dataset.read(rows, name="forty")
