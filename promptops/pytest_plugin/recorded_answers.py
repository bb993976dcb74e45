"""The recorded answers to all examples of a test, by one look-up: opening the store for each case
costs more than the case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..lab.answer import Answer
    from ..lab.prompt import SavedVersion

__all__ = ["RecordedAnswers", "values_of"]


class RecordedAnswers:
    """What was recorded when the first case of a dataset began. A question that is missing here may
    have been answered since, by another worker.
    """

    def __init__(self) -> None:
        self._known: dict[str, Answer] = {}
        self._looked_up: set[tuple[str, str]] = set()
        self._unreached: dict[str, str] = {}  # endpoint -> the error of its last call

    def look_up(self, version: SavedVersion, dataset: Dataset) -> None:
        """Read the answers of a version to every example; once."""
        if (version.id, dataset.fingerprint) in self._looked_up:
            return
        self._looked_up.add((version.id, dataset.fingerprint))
        questions = [values_of(version, example.inputs) for example in dataset]
        for values, answer in self.read(version, questions):
            self._known[_question(version, values)] = answer

    def read(
        self, version: SavedVersion, questions: Sequence[dict[str, object]]
    ) -> list[tuple[dict[str, Any], Answer]]:
        """Those of the questions that have a recorded answer now, with it; an empty list if one of
        them cannot be asked, which its own test says.
        """
        from ..errors import PromptOpsError
        from ..lab.answer import Answer
        from ..study.ask import Asker

        try:
            found = Asker(version.project).recall(
                version.version, questions, prompt=version.prompt, label=version.label
            )
        except PromptOpsError:
            return []
        return [
            (values, Answer(run, label=version.label, reused=True))
            for values, run in zip(questions, found, strict=True)
            if run is not None
        ]

    def ask(self, version: SavedVersion, values: Mapping[str, Any]) -> Answer:
        """Ask now. An endpoint that one call could not reach in all its retries, which take a
        minute, is not called again in this session.

        Raises:
            CallError: no answer came, or the endpoint was not reached before.
        """
        from ..errors import CallError
        from ..failure_classes import UNREACHED

        endpoint = version.project.model(version.version.model, version.version.api).label
        if endpoint in self._unreached and not self.read(version, [dict(values)]):
            raise CallError(
                f"{endpoint} could not be reached by an earlier test, and is not asked again in"
                f" this session: {self._unreached[endpoint]}",
                failure="connection",
            )
        try:
            return version(**values)
        except CallError as error:
            if error.failure in UNREACHED:
                self._unreached[endpoint] = str(error)
            raise

    def of(self, version: SavedVersion, values: Mapping[str, Any]) -> Answer | None:
        """The answer to these values; None if it is not known."""
        return self._known.get(_question(version, values))


def values_of(version: SavedVersion, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of an example's columns that the version has variables for."""
    wanted = {variable.name for variable in version.variables}
    return {name: value for name, value in given.items() if name in wanted or not wanted}


def _question(version: SavedVersion, values: Mapping[str, Any]) -> str:
    """A version and its values as text, since values need not be hashable."""
    return f"{version.id} {sorted(values.items())!r}"
