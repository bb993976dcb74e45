"""Who works through the tools, in which project, with which budget; and which files it may name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..engine.question import CallAllowance
from ..errors import Refused, SetupError
from ..study.queries.call_figures import Began, made_since
from .daily_budget import BudgetLeft, DailyBudget

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..lab import Lab

__all__ = ["Agent"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_DATA = frozenset((".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx"))


@runtime_checkable
class HasStop(Protocol):
    """Work that can be asked to send no further calls."""

    def stop(self, reason: str) -> None:
        """Keep what is done, and say why."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent of a person. lab: of the project, in which it acts under its own name."""

    name: str
    person: str
    lab: Lab
    budget: DailyBudget

    @classmethod
    def of(
        cls, lab: Lab, name: str, person: str = "", *, calls: int = 0, usd: float | None = None
    ) -> Agent:
        """An agent with a budget per day.

        Args:
            lab: of the project; from now on what it records is by the agent.
            name: such as "claude": letters, digits and `._-`.
            person: for whom it works; "": who acts on this machine.
            calls: that all agents together may make per day (UTC).
            usd: that they may cost; None: calls alone are limited.

        Raises:
            SetupError: the name, or the budget, is not one.
        """
        if not _NAME.fullmatch(name):
            raise SetupError(
                f"the agent's name is {name!r}; expected up to 40 letters, digits and ._-, such as"
                " claude."
            )
        if calls < 0 or (usd is not None and not 0 <= usd < float("inf")):
            raise SetupError(f"the budget is {calls} calls and {usd} USD; give 0 or more of each.")
        person = " ".join(person.split()) or lab.project.author
        lab.project = replace(lab.project, acting=f"agent:{name} for {person}")
        return cls(name, person, lab, DailyBudget(lab.store.folder / "agents", calls, usd))

    @property
    def author(self) -> str:
        """As everything that it does is recorded."""
        return self.lab.project.author

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.lab.project.root

    def path(self, named: str) -> Path:
        """A file or folder of the project. Raises Refused for any other."""
        root = self.root.resolve()
        try:
            found = Path(os.path.realpath(root / named))
        except (OSError, ValueError):
            raise Refused(f"{named!r} is not a path; next: name a file of the project.") from None
        if not found.is_relative_to(root):
            raise Refused(
                f"{named} is outside the project; next: name a path inside it, or ask"
                f" {self.person} to copy the file there."
            )
        if any(part.startswith(".") for part in found.relative_to(root).parts):
            raise Refused(
                f"{named} is hidden, and hidden files may hold secrets; next: name a data file that"
                " is part of the project."
            )
        return found

    def dataset(self, named: str, split: str | None, columns: dict[str, Any]) -> Dataset:
        """The examples of a data file of the project. Raises Refused for any other file."""
        from ..lab import Dataset

        path = self.path(named)
        if path.suffix not in _DATA:
            raise Refused(
                f"{named} is not a data file; next: name one that ends in"
                f" {', '.join(sorted(_DATA))}."
            )
        data = Dataset.read(path, **columns)
        return data.split(split) if split else data

    def halt(self) -> None:
        """Ask no more models; what is answered is kept. From any thread."""
        project, why = self.lab.project, "the client cancelled it"
        for study in list(project.running.values()):
            study.stop(why)
        for search in list(project.searches.values()):
            if isinstance(search, HasStop):
                search.stop(why)

    @contextmanager
    def spending(self, calls: int, what: str) -> Iterator[tuple[Lab, BudgetLeft]]:
        """So many calls, reserved before and settled after, by what the store says that this
        process asked: what people or other agents ask meanwhile in the same store is not counted.
        The lab that is given sends no more attempts than that, unless the day has more.

        Raises Refused if the day has not enough left.
        """
        began = Began()
        reservation, allowed = self.budget.reserve(calls, what, self.author)
        try:
            usd = (allowed.usd or 0.0) if calls else 0.0
            more = partial(self.budget.raise_to, reservation, usd=usd, author=self.author)
            lab = copy(self.lab)
            lab.project = replace(lab.project, calls=CallAllowance(calls, more))
            yield lab, allowed
        finally:
            made, usd = made_since(self.lab.store, began.moment, self.lab.project.prices, began.ids)
            self.budget.settle(reservation, made, usd, self.author)
