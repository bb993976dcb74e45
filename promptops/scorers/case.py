"""What a scorer looks at, and what a scorer is: the contract between the score phase and every
scorer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ..dataset.example import Example
from ..run import Run
from ..score import Score
from ..version import PromptVersion
from .judged_by import JudgedBy

__all__ = ["Ask", "BatchScorer", "Case", "Scorer", "columns_of_answer", "request_of_columns"]

_COLUMNS = "imported_columns"
_BEGINNING = f'{{"{_COLUMNS}": '

# asks a model on the scorer's behalf: (version, values, repeat) -> the recorded, reused, budgeted
# run
Ask = Callable[[PromptVersion, Mapping[str, object], int], Awaitable[Run]]


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to judge.

    Args:
        output: the text of the answer, "" if the model gave none.
        example: the example, with its golden answer; for an answer from a table, also with the
            columns of that row.
        run: the recorded call.
        reference: the run of another version on the same example and repeat, for scorers that
            compare the two.
        ask: the function by which a judge calls its model; None outside a lab.
        judged_by: where a scorer that calls a model without `ask` records which model replied; None
            outside a score phase.
    """

    output: str
    example: Example
    run: Run
    reference: Run | None = None
    ask: Ask | None = None
    judged_by: JudgedBy | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        columns = columns_of_answer(self.run.request)
        if columns:
            object.__setattr__(self, "example", self.example.beside(columns))

    @property
    def expected(self) -> object:
        return self.example.expected


def request_of_columns(columns: Mapping[str, object]) -> str:
    """What an imported run keeps in the place of a request: the columns of its row."""
    return json.dumps({_COLUMNS: columns}, ensure_ascii=False, default=str) if columns else "{}"


def columns_of_answer(request: str) -> dict[str, object]:
    """The columns that `request_of_columns` wrote; {} for any other request."""
    if not request.startswith(_BEGINNING):
        return {}
    found = json.loads(request)[_COLUMNS]
    return found if isinstance(found, dict) else {}


@runtime_checkable
class Scorer(Protocol):
    """The interface of a scorer, which judges cases. Scores are comparable only if name and version
    are the same.

    needs: the columns of the dataset that it reads, checked before a study; judges_failures:
    whether it judges runs that failed by the model's own fault (else those fail without a call of
    the scorer); kind: "assertion" | "semantic" | "regression" | "judge" | "user"; against: the id
    of the version whose runs it needs as `reference`, or None; remote: whether it may wait for
    something (a judge, a user's function); inline scorers never do. score: one score or several for
    a case, awaitable if it waits.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    @property
    def judges_failures(self) -> bool: ...

    @property
    def against(self) -> str | None: ...

    @property
    def remote(self) -> bool: ...

    def score(self, case: Case) -> Score | Sequence[Score] | Awaitable[Score | Sequence[Score]]: ...


@runtime_checkable
class BatchScorer(Scorer, Protocol):
    """A scorer that is more efficient on many cases at once, such as an embedder or a local
    classifier; it is `remote`.
    """

    def score_many(self, cases: Sequence[Case]) -> Sequence[Score] | Awaitable[Sequence[Score]]:
        """One score per case, in the same order."""
        ...
