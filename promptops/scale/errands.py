"""What is sent to workers: declarations, never objects that hold a key, a connection or a closure.
Plain pickle carries all of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..engine.question import Provenance, Question
from ..errors import ScorerError, SetupError
from ..models.protocol import Call, Model
from ..run import Attempt, Run
from ..scorers import Scorer
from ..scorers.function import as_scorer
from ..scorers.function_scorer import FunctionScorer
from ..scorers.grammar import scorer_of, text_of
from ..study.project_file import DeclaredModel

__all__ = [
    "BatchResult",
    "AskedModel",
    "Errand",
    "ScorerText",
    "Session",
    "answers_of",
    "check_named",
    "declared",
    "errand_of",
]


@dataclass(frozen=True, slots=True)
class Session:
    """One study's stay at the workers. folder, proof: of the store that asks, and a file in it: who
    sees that file appends there; models: as promptops.toml declares them.
    """

    id: str
    folder: str
    proof: str
    models: Mapping[str, DeclaredModel] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def topic(self) -> str:
        """Under which answers come back."""
        return f"promptops-{self.id}"


@dataclass(frozen=True, slots=True)
class AskedModel:
    """A model by what every host can look up. label: of who answers where it is asked from;
    request: one that it is to answer, for the check of its key.
    """

    name: str
    api: str
    label: str
    request: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Errand:
    """One question without its model; the rest as in `Question`."""

    call: Call
    model: AskedModel
    key: str
    prompt: str
    version_id: str
    model_name: str
    example_id: str | None
    example_fingerprint: str | None
    role: str
    unrendered: str

    def question(self, model: Model) -> Question:
        """As it is asked by a model of this host."""
        return Question(
            self.call,
            model,
            self.key,
            self.prompt,
            self.version_id,
            self.model_name,
            self.example_id,
            self.example_fingerprint,
            self.role,
            self.unrendered,
        )


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch. count: of the answers that were sent back; stopped: why some are
    missing, "" if none are; broken: whether asking on is pointless anywhere.
    """

    count: int
    stopped: str = ""
    broken: bool = False


def errand_of(question: Question) -> Errand:
    """The question as a declaration."""
    version = question.call.version
    api = version.api if version is not None else "chat"
    return Errand(
        question.call,
        AskedModel(question.model_name, api, question.model.label, question.call.chat),
        question.key,
        question.prompt,
        question.version_id,
        question.model_name,
        question.example_id,
        question.example_fingerprint,
        question.role,
        question.unrendered,
    )


@dataclass(frozen=True, slots=True)
class ScorerText:
    """A scorer as text: of the grammar ("similar_to('expected')"), or a function of yours by its
    module and name, which the worker imports.
    """

    text: str
    name: str
    version: str
    function: bool = False

    def scorer(self) -> Scorer:
        """The scorer on this host. Raises ScorerError if it is another one here."""
        made = self._imported() if self.function else scorer_of(self.text)
        if (made.name, made.version) != (self.name, self.version):
            raise ScorerError(
                f"the scorer {self.name} is another version here ({made.version}, not"
                f" {self.version}); bring this host's code up to date."
            )
        return made

    def _imported(self) -> Scorer:
        module, _, path = self.text.partition(":")
        found: Any
        try:
            found = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise ScorerError(
                f"the scorer {self.text} cannot be imported here ({error}); install its package on"
                " this host."
            ) from None
        return as_scorer(found)


def declared(scorers: Sequence[Scorer]) -> tuple[ScorerText, ...]:
    """Scorers as texts. Raises ScorerError for one that only this process has."""
    return tuple(_declared(scorer) for scorer in scorers)


def _declared(scorer: Scorer) -> ScorerText:
    if scorer.against is not None or scorer.kind == "judge":
        raise ScorerError(
            f"{scorer.name} asks a model or compares with another version's answers, which workers"
            " do not; leave workers= out for it."
        )
    text = text_of(scorer)
    if text is not None:
        return ScorerText(text, scorer.name, scorer.version)
    function = getattr(scorer, "function", None)
    if isinstance(scorer, FunctionScorer) and function is not None:
        place = f"{function.__module__}:{function.__qualname__}"
        named = ScorerText(place, scorer.name, scorer.version, function=True)
        if function.__module__ != "__main__" and "<" not in place:
            return named
    raise ScorerError(
        f"the scorer {scorer.name} exists only in this process; move the function into a module"
        " that the workers can import, or leave workers= out."
    )


def check_named(models: Sequence[AskedModel], given: Sequence[str]) -> None:
    """Raise SetupError for a model that was passed as an object."""
    for model in models:
        if model.name in given:
            raise SetupError(
                f"the model {model.name!r} was passed as an object, which stays in this process;"
                " declare it in promptops.toml, or leave workers= out."
            )


def answers_of(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[tuple[Run, list[Attempt]]]:
    """Each run that a worker sent, with its attempts. Raises SetupError for rows of another form
    than this release's.
    """
    tries: dict[str, list[Attempt]] = {}
    try:
        for row in rows["attempts"]:
            tries.setdefault(row["run_id"], []).append(Attempt(**row))
        runs = [Run(**row) for row in rows["runs"]]
    except (KeyError, TypeError) as error:
        raise SetupError(
            f"a worker sends answers of another form than this release's ({error}); install the"
            " same release of promptops-toolkit on every host."
        ) from None
    return [(run, tries.get(run.id, [])) for run in runs]
