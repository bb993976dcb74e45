"""The notebook's door: one object that saves prompts, runs studies, compares, promotes and rolls
back.

Opening a lab reads and writes nothing. Every verb may be run again: saving, evaluating and
promoting what is there already changes nothing and pays for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from ..signatures import explained_methods
from ..study.project import Project
from ..study.provenance import in_kernel
from ..study.queries.listings import runs_frame
from . import across_studies, ask_models, bring_over, serve, show
from .collections import Prompts, Studies
from .project_store import ProjectStore
from .prompt import Prompt
from .study import Study

if TYPE_CHECKING:
    import os

    from pandas import DataFrame

    from ..dataset import Dataset

__all__ = ["Lab"]


@explained_methods
class Lab:
    """A project's prompts, runs and studies.

    Args:
        root: the project's folder; by default it is searched for in the working directory and its
            parents.
        models: name -> an openai client, a model of promptops.models, or your own callable (a
            target), which gets the example's values by its parameter names (a single value goes
            to a single parameter of any name).
        prices: model -> (input, output) in USD per million tokens.
        store: the address of a team's store, a folder or a bucket ("s3://team/promptops").
        author: the author to record; default: $PROMPTOPS_USER, else git's user.

    Raises:
        SetupError: if a model can never answer, or a price is invalid.
        StoreError: if the store's address is invalid.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        models: Mapping[str, object] | None = None,
        prices: Mapping[str, object] | None = None,
        store: str | None = None,
        author: str = "",
    ) -> None:
        self.project = Project.open(
            root, models=models, prices=prices, store=ProjectStore, acting=author
        )
        assert isinstance(self.project.store, ProjectStore)
        self._store = self.project.store
        address = store or self.project.location.file.team
        self._store.share_at(address, lambda: self.project.author)
        where = self.project.location
        _say(
            f"lab at {where.root} ({where.why}): registry {where.registry.name}, "
            f"store {where.store.name}/"
        )

    @property
    def store(self) -> ProjectStore:
        """The store of every run, score and study recorded in this project."""
        return self._store

    # -- prompts

    @property
    def prompts(self) -> Prompts:
        """All prompts: `for prompt in lab.prompts`, `lab.prompts.names`, `lab.prompts.policy`."""
        return Prompts(self.project)

    def prompt(self, name: str) -> Prompt:
        """One prompt by its name; a new one is created by its first saved version.

        Args:
            name: lower-case letters, digits and `._/-`, such as "support-triage".

        Raises:
            RegistryError: if the name is not allowed.
        """
        return self.prompts.named(name)

    def bulk(self) -> AbstractContextManager[None]:
        """Write the registry once for everything saved in a `with lab.bulk():` block, even if the
        block ends with an error; use it to save thousands of versions.
        """
        return self.project.registry.bulk()

    # -- studies

    @property
    def studies(self) -> Studies:
        """All studies, newest first: `for study in lab.studies`, `lab.studies.frame`."""
        return Studies(self.project)

    def study(self, name: str | int) -> Study:
        """One recorded study.

        Args:
            name: its name, its id or the beginning of its id; 0 is the newest study, 1 the next.

        Raises:
            StudyError: if no study matches; the message lists similar names.
        """
        return self.studies.named(name)

    evaluate = ask_models.evaluate
    estimate = ask_models.estimate
    plan = ask_models.plan
    optimize = ask_models.optimize
    compare = across_studies.compare
    leaderboard = across_studies.leaderboard
    import_runs = bring_over.import_runs
    import_from = bring_over.import_from

    # -- what is served

    promote = serve.promote
    rollback = serve.rollback
    history = serve.history
    watch = serve.watch
    live = serve.live

    # -- data

    def runs(self, limit: int = 1000) -> DataFrame:
        """The latest runs of all studies and calls, newest first; at most `limit`."""
        return runs_frame(self.store, limit)

    def sql(self, query: str, *, limit: int = 10_000, timeout_s: float = 30.0) -> DataFrame:
        """Run your own SQL over runs, attempts, scores, studies, study_runs, versions, examples,
        labels, verdicts, deployments, ...

        The query is read-only.

        Args:
            query: one statement that only reads.
            limit: the maximum number of rows.
            timeout_s: the time after which the query is ended.

        Raises:
            StoreError: the query is not one that reads, has a fault, or took longer.
        """
        return self.store.sql(query, limit=limit, timeout_s=timeout_s)

    def dashboard(self) -> show.Dashboard:
        """Everything in one cell: prompts, studies, comparisons, registry."""
        return show.dashboard(self)

    def playground(
        self, prompt: Prompt | str, dataset: Dataset | None = None, *, models: Sequence[str] = ()
    ) -> show.PlaygroundView:
        """Edit a version, run it on a few examples with one or more models, and save the result.

        Args:
            prompt: the prompt or its name; its newest version is opened.
            dataset: the source of the examples; default: the newest study's dataset.
            models: the models to call; default: the version's own.

        Returns:
            A widget with the texts on the left and the answers on the right; it shows the cost
            before each call.

        Raises:
            PromptOpsError: if the prompt has no version.
        """
        name = prompt if isinstance(prompt, str) else prompt.name
        return show.playground(self, name, dataset, models)

    # -- how it shows

    def __repr__(self) -> str:
        names = self.project.registry.names()
        listed = (
            ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            or "none yet: lab.prompt('name').save('text {{variable}}')"
        )
        return f"<lab at {self.project.root} ({self.project.location.why}); prompts: {listed}>"

    def _repr_html_(self) -> str:
        return show.html(self)


def _say(line: str) -> None:
    """One line where a person reads it: the cell's output in a notebook, else standard error."""
    stream = sys.stdout if in_kernel() else sys.stderr
    with suppress(AttributeError, OSError, ValueError):  # none, full, gone or closed
        if in_kernel() or stream.isatty():
            stream.write(line + "\n")
