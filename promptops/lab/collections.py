"""All prompts and all studies of a lab: their names, and each of them in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import StudyError
from ..markup import count, plain_repr, shorten
from ..policy import Policy
from ..study.queries import studies
from ..study.queries.listings import searches_frame, studies_frame
from ..study.recorded_study import RecordedStudy, find_study, unreadable
from ..study.study_record import StudyRecord
from . import show
from .prompt import Prompt
from .study import Study

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..study.project import Project

__all__ = ["Prompts", "Studies"]


class Prompts:
    """The prompts of a registry, in order of name; `lab.prompt(name)` is one of them."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def named(self, name: str) -> Prompt:
        """See Lab.prompt."""
        from ..registry.document import checked_name

        return Prompt(self.project, checked_name(name))

    @property
    def names(self) -> list[str]:
        return list(self.project.registry.names())

    @property
    def policy(self) -> Policy:
        """The registry's default policy, for prompts that have none of their own.

        Assign a Policy, or a mapping of its fields, to set it.
        """
        return self.project.registry.policy()

    @policy.setter
    def policy(self, policy: Policy | Mapping[str, object] | None) -> None:
        self.project.registry.set_policy(None if policy is None else Policy.of(policy))

    def __iter__(self) -> Iterator[Prompt]:
        return (Prompt(self.project, name) for name in self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @plain_repr
    def __repr__(self) -> str:
        return f"<{count(len(self), 'prompt')}: {', '.join(self.names) or 'none yet'}>"

    def _repr_html_(self) -> str:
        return show.html(self)


class Studies:
    """The studies of a store, newest first; `lab.study(name)` is one of them."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @property
    def frame(self) -> DataFrame:
        """One row per study: name, prompt, arms, examples, runs, last event, created_at, id. A
        study whose record cannot be read has the status "unreadable".
        """
        frame = studies_frame(self.project.store)
        odd = frame["id"].isin(unreadable(self.project.store))
        frame.loc[odd, "status"] = "unreadable"
        return frame

    @property
    def searches(self) -> DataFrame:
        """One row per optimisation, newest first: prompt, method, candidates, best_score on val,
        status, created_at, id. Its calls are recorded as runs; only its confirmation is a study.
        """
        return searches_frame(self.project.store)

    def named(self, name: str | int) -> Study:
        """See Lab.study."""
        try:
            return Study(find_study(self.project, name))
        except StudyError:  # it may be running, and not be stored yet
            for id, running in reversed(self.project.running.items()):
                if name in (id, running.name):
                    return Study(RecordedStudy(self.project, running.record))
            raise

    @property
    def names(self) -> list[str]:
        return studies.names(self.project.store)

    def __iter__(self) -> Iterator[Study]:
        """Newest first. A study that cannot be read is left out; `lab.store.verify()` names it."""
        for head in studies.all_heads(self.project.store):
            try:
                record = StudyRecord.from_row(*head)
            except StudyError:
                continue
            yield Study(RecordedStudy(self.project, record))

    def __len__(self) -> int:
        return studies.count(self.project.store)

    @plain_repr
    def __repr__(self) -> str:
        names = ", ".join(shorten(name, 80) for name in self.names[:8])
        return f"<{count(len(self), 'study', 'studies')}: {names or 'none yet'}>"

    def _repr_html_(self) -> str:
        return show.html(self)
