"""A project: the folder, registry, store, models and event loop that every study works with.

It is a value without a face. Verbs below `lab/` take it, so that a notebook, a command, a test and
a scheduled job evaluate and promote by the same code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..engine.executor import Executor, InProcess
from ..engine.loop import Background
from ..engine.prices import check_prices
from ..engine.question import CallAllowance, Limits, Provenance
from ..registry.editor import Editor
from ..store import Store
from .author import author
from .deployment_rows import deployment_rows
from .project_file import FILE, ProjectFile
from .provenance import provenance
from .resolve_model import ModelResolver

if TYPE_CHECKING:
    from ..models.protocol import Model
    from .running import RunningStudy

__all__ = ["Location", "OfProject", "Project"]

REGISTRY = "promptops.json"
STORE = ".promptops"
_ROOT_MARKS = (FILE, ".git", "pyproject.toml", "setup.py", "package.json", ".hg")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a project lives.

    root: its folder; registry: the file that applications read, which is committed; store: the
    folder of recorded runs; why: how the root was found; file: what its promptops.toml says.
    """

    root: Path
    registry: Path
    store: Path
    why: str
    file: ProjectFile = field(default_factory=ProjectFile)

    @classmethod
    def find(
        cls,
        root: str | os.PathLike[str] | None = None,
        *,
        registry: str | os.PathLike[str] | None = None,
    ) -> Location:
        """The named folder; without one upwards from here: a registry file, a project mark, else
        here. registry: the file, where it is not the folder's own.

        Raises SetupError if its promptops.toml is wrong.
        """
        if root is not None:
            chosen, why = Path(root).expanduser().resolve(), "as named"
            chosen.mkdir(parents=True, exist_ok=True)
        else:
            chosen, why = _upwards(Path.cwd())
        named = registry or (os.environ.get("PROMPTOPS_REGISTRY") if root is None else None)
        place = Path(named).expanduser().resolve() if named else chosen / REGISTRY
        file = ProjectFile.read(chosen)
        return cls(chosen, place, file.store or chosen / STORE, why, file)


def _upwards(start: Path) -> tuple[Path, str]:
    folders = [start, *start.parents]
    for folder in folders:
        if (folder / REGISTRY).is_file():
            return folder, f"it holds {REGISTRY}"
    for folder in folders:
        for mark in _ROOT_MARKS:
            if (folder / mark).exists():
                return folder, f"it holds {mark}"
    return start, "the working directory"


@dataclass(frozen=True, eq=False, slots=True)
class Project:
    """What every verb of a study needs, opened once.

    models: who answers for a model's name; loop: the event loop, in a thread of its own, on which
    calls are made; prices: model -> USD per million tokens, where the caller or promptops.toml
    knows better than the price table; running: study id -> the pass over it that this process
    began last; searches: the same of optimisations; corrected: (dataset fingerprint, example) ->
    the golden answer that this process wrote into its file;
    executor: who makes the runs, in this process or elsewhere; acting: who acts, where that is not
    the person of this machine, such as an agent; calls: that all sweeps together may send.
    """

    location: Location
    registry: Editor
    store: Store
    models: ModelResolver
    loop: Background
    prices: Mapping[str, object] | None = None
    running: dict[str, RunningStudy] = field(default_factory=dict)
    searches: dict[str, object] = field(default_factory=dict)
    corrected: dict[tuple[str, str], object] = field(default_factory=dict)
    executor: Executor = field(default_factory=InProcess)
    acting: str = ""
    calls: CallAllowance | None = None

    @classmethod
    def open(
        cls,
        root: str | os.PathLike[str] | None = None,
        *,
        models: Mapping[str, object] | None = None,
        prices: Mapping[str, object] | None = None,
        store: type[Store] = Store,
        registry: str | os.PathLike[str] | None = None,
        acting: str = "",
    ) -> Project:
        """Open the project of a folder; nothing is read or written yet.

        Args:
            root: the project's folder; None: found upwards from the working directory.
            models: name -> an openai client, a model of promptops.models, or a callable.
            prices: model -> (input, output) in USD per million tokens.
            store: the class of its store; `lab` passes one that also takes in labels.
            registry: its file, where it is not the root's promptops.json.
            acting: who acts, where that is not the person of this machine.

        Raises:
            SetupError: a model can never answer, a price is not a price, or promptops.toml is
                wrong.
        """
        check_prices(prices)
        location = Location.find(root, registry=registry)
        editor = Editor(location.registry)
        opened = store(location.store, deployments=lambda: deployment_rows(editor))
        resolver = ModelResolver(models, opened.keep_secret, declared=location.file.models)
        merged = {**location.file.prices, **(prices or {})} or None
        return cls(location, editor, opened, resolver, Background(), merged, acting=acting)

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.location.root

    @property
    def author(self) -> str:
        """Who acts: who is named as `acting`, $PROMPTOPS_USER, git's user.name, else the login
        name.
        """
        return self.acting or author(self.root)

    def provenance(self) -> Provenance:
        """The running cell, the git commit, and whether tracked files differ from it."""
        return provenance(self.root)

    def model(self, name: str | None, api: str = "chat") -> Model:
        """The model that answers for a name in a request form. Raises SetupError if none can."""
        return self.models.of(name, api)

    def limits(self, **chosen: object) -> Limits:
        """Limits of a sweep with the project's prices, and its budgets where none is named.

        Raises SetupError for a value that is not one.
        """
        given = self.location.file.default(**chosen)
        return Limits(prices=self.prices, calls=self.calls, **given)

    def close(self) -> None:
        """End the loop's thread and close the store; what was recorded stays."""
        self.loop.close()
        self.store.close()


class OfProject(Protocol):
    """What belongs to a project, as a lab does."""

    @property
    def project(self) -> Project:
        """The project."""
