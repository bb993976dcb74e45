"""A study that the store knows: its record, its project and what is read from both. It has no face.

Verbs over studies take this value: comparing, rescoring, promoting, reviewing and estimating.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import StudyError
from .other_model import other_models
from .queries import studies
from .records import load_dataset, load_version
from .study_record import StudyRecord

if TYPE_CHECKING:
    from ..analysis.arms import Arm
    from ..dataset import Dataset
    from ..store import Store
    from ..version import PromptVersion
    from .project import Project
    from .running import RunningStudy

__all__ = ["RecordedStudy", "find_study", "unreadable"]


@dataclass(slots=True, eq=False)
class RecordedStudy:
    """One study of a project. Its dataset is read when it is first asked for, and once."""

    project: Project
    record: StudyRecord
    held: Dataset | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def prompt(self) -> str:
        return self.record.prompt

    @property
    def dataset(self) -> Dataset:
        """The examples as they were when the study was made."""
        if self.held is None:
            fingerprint = self.record.dataset.fingerprint
            self.held = load_dataset(self.project.store, fingerprint, self.project.root)
        return self.held

    @property
    def status(self) -> str:
        """running, finished, stopped or failed while this process has run it, else what its last
        recorded event says; finished without one."""
        if self.running is not None:
            return self.running.status
        return studies.status_of(self.project.store, self.id)

    @property
    def running(self) -> RunningStudy | None:
        """The pass over it that this process began last; None for a study from the store."""
        return self.project.running.get(self.id)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until it is done, where this process runs it.

        Raises what `RunningStudy.wait` raises.
        """
        if self.running is not None:
            self.running.wait(timeout_s)

    def arms(self) -> list[Arm]:
        """The recorded outcomes of every arm, in the study's order.

        Raises:
            StudyError: an arm has no run.
        """
        from .stored_arms import arms_of

        return arms_of(self.project.store, self.record.sources(), self.record.scorers)

    def mixed(self) -> list[str]:
        """A sentence for each model behind whose name or address another one has answered since;
        empty while the study runs.
        """
        if self.status == "running":
            return []
        record = self.record
        return other_models(self.project.store, record.sources(), record.scorers)

    def version_of(self, id: str) -> PromptVersion | None:
        """The content of an arm by its version's id; None if only its answers are known."""
        return load_version(self.project.store, id)


def find_study(project: Project, name: str | int) -> RecordedStudy:
    """A study by name, id, the beginning of its id (six characters or more), or place (0: newest).

    Raises:
        StudyError: if no study matches, or `name` is of another type; similar names are listed.
    """
    if isinstance(name, int) and not isinstance(name, bool):
        rows = studies.all_heads(project.store)
        if not -len(rows) <= name < len(rows):
            raise StudyError(f"there is no study {name}; there are {len(rows)}, the newest is 0.")
        return RecordedStudy(project, StudyRecord.from_row(*rows[name]))
    if not isinstance(name, str):
        raise StudyError(
            f"a study is found by its name, its id or its position, not by {type(name).__name__}."
        )
    heads = studies.heads_by_name(project.store, name)
    readable = [record for record in map(_readable, heads) if record is not None]
    if readable:
        return RecordedStudy(project, readable[0])
    if heads:
        StudyRecord.from_row(*heads[0])  # raises, and says why
    names = studies.names(project.store)
    near = difflib.get_close_matches(name, names, 1) or names[:3]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "evaluate one first."
    raise StudyError(f"there is no study {name!r}; {hint}")


def _readable(head: studies.Head) -> StudyRecord | None:
    """None if its row is odd: it must not hide another study of its name."""
    try:
        return StudyRecord.from_row(*head)
    except StudyError:
        return None


def unreadable(store: Store) -> dict[str, str]:
    """Studies whose rows are odd, by id, each with the sentence that says why."""
    found = {}
    for head in studies.all_heads(store):
        try:
            StudyRecord.from_row(*head)
        except StudyError as error:
            found[str(head[0])] = str(error)
    return found
