"""What an optimiser sees of a search: the seed, train, val, asking, proposing; and nothing else.

It has no store, no lab and no test split, so that no method can look where it must not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ..dataset import Dataset, Example
from ..engine.question import Limits
from ..errors import CallError, StudyError
from ..run import Run
from ..scorers.case import Scorer
from ..scorers.rule import judge_calls
from ..study.ask_cells import Cell, CellAsker, Outcome
from ..version import PromptVersion
from .lineage import Event, Lineage, Proposal
from .spending import Spending, tokens_of
from .veto import Vetoes, golden_of

if TYPE_CHECKING:
    from ..study.ask import Asker

__all__ = ["Optimizer", "Result", "NothingNew", "Task"]

_REQUEST = "request"
_PATIENCE = 200  # questions in a row that bring nothing new, after which a method is ended


@dataclass(frozen=True, slots=True)
class Result:
    """One answer to one example. score: the primary's, None if it is unscored; reason: the
    primary's; guards: the other scorers' scores, by name; tokens: of the call, in and out,
    estimated from its characters if the model reports no usage.
    """

    example: Example
    output: str
    score: float | None
    reason: str
    guards: Mapping[str, float | None]
    run: Run
    tokens: int = 0


class NothingNew(BaseException):
    """A method goes on asking and gets nothing new; not an Exception, since a method may swallow
    those.
    """


@runtime_checkable
class Optimizer(Protocol):
    """A search method. Its random numbers come only from `rng`, so the same seed gives the same
    search.

    name: the name shown and stored; document(): the settings that determine the search, ready for
    JSON, which are a part of the search's id.
    """

    @property
    def name(self) -> str: ...

    def document(self) -> Mapping[str, object]: ...

    async def run(self, task: Task, rng: Random) -> None:
        """Search until nothing is left to try, or `task.over`."""
        ...


class Task:
    """One search as its optimiser sees it.

    seed: the version to improve; train, val: the examples that it may use; primary: the name of the
    scorer that decides.
    """

    def __init__(
        self,
        seed: PromptVersion,
        splits: tuple[Dataset, Dataset],
        askers: tuple[CellAsker, Asker],
        spending: Spending,
        lineage: Lineage,
        vetoes: Vetoes,
        scorers: Sequence[Scorer],
    ) -> None:
        """scorers: the first is the primary, the others are guardrails."""
        self.seed, (self.train, self.val) = seed, splits
        self._asker, self._proposer = askers
        self._spending, self._lineage, self._vetoes = spending, lineage, vetoes
        self._scorer, self.primary = scorers[0], scorers[0].name
        self._guards = [scorer.name for scorer in scorers[1:]]
        self._judges = sum(map(judge_calls, scorers))
        self._on_val: dict[str, dict[str, Result]] = {}  # version -> example -> result
        self._fixed: dict[str, int] = {}  # version -> characters of its messages
        self._in_vain, self._spent_before = 0, -1
        self.halted = ""

    # -- how far it may go

    @property
    def left(self) -> int | None:
        """The number of calls that may still be made; None if calls are not limited."""
        return self._spending.left

    @property
    def calls_of_an_answer(self) -> int:
        """The calls that one answer takes from the budget: one, plus those of its judges."""
        return 1 + self._judges

    @property
    def over(self) -> bool:
        """Whether no more calls are made: the budget is spent, or the search was stopped."""
        return bool(self.halted or self._asker.stopped or self._spending.look())

    def golden_text(self, example: Example) -> str:
        """A golden answer of an example as text; "" if it has none."""
        golden = golden_of(self._scorer, example)
        if golden is None or isinstance(golden, str):
            return golden or ""
        return json.dumps(golden, ensure_ascii=False)

    # -- asking

    async def ask(
        self, versions: Sequence[PromptVersion], examples: Sequence[Example], repeat: int = 0
    ) -> dict[str, list[Result]]:
        """version id -> its results, in the order of the examples: as many of the examples as the
        budget allows, the same for each version.

        Raises StudyError for an example that is not of train or val, and for a version that `offer`
        did not let in.
        """
        await self._patient()
        for version in versions:
            if version.id not in self._lineage.candidates:
                raise StudyError(
                    f"the version {version.id[:9]} is not a candidate of this search; ask only for"
                    " the seed and for what task.offer(version, how=...) let in."
                )
        allowed = {id(each) for each in (*self.train, *self.val)}
        for example in examples:
            if id(example) not in allowed:
                raise StudyError(
                    f"the example {example.id!r} is not of train or val; a search sees nothing"
                    " else."
                )
        found: dict[str, list[Result]] = {version.id: [] for version in versions}
        rest = list(examples)
        while rest:
            wave = self._wave(versions, rest, repeat)
            cells = self._affordable(versions, rest[:wave], repeat)
            try:
                outcomes = await self._asker.ask(cells, self._limits()) if cells else []
            finally:  # also when it is given up
                self._settle(cells)
            for outcome in outcomes:
                asked = self._characters(outcome.cell.version, outcome.cell.example)
                found[outcome.cell.version.id].append(self._result(outcome, asked))
            if len(cells) < wave * len(versions):
                break
            rest = rest[wave:]
        self._remember(found, repeat)
        return found

    async def _patient(self) -> None:
        """Leave the loop to others; end a method that asks in vain: failures are nothing new."""
        await asyncio.sleep(0)
        spent = len(self._spending.counted) + self._spending.calls.get("propose", 0)
        self._in_vain = self._in_vain + 1 if spent == self._spent_before else 0
        self._spent_before = spent
        if self._in_vain > _PATIENCE:
            raise NothingNew

    def _wave(
        self, versions: Sequence[PromptVersion], examples: Sequence[Example], repeat: int
    ) -> int:
        """How many of the examples are asked together: all, or as many as the tokens and the money
        that are left are likely to answer; just one while a version has answered nothing, since a
        candidate may be many times as long as the seed. Only recorded answers decide that, so that
        neither the pace of a search nor a replay changes its path.
        """
        spent = self._spending
        if not spent.metered:
            return 1 if spent.unjudged(self._judges) else len(examples)
        tokens = usd = 0.0
        for number, example in enumerate(examples):
            new = [v for v in versions if (v.id, example.id, repeat) not in spent.counted]
            unknown = any(version.id not in spent.dearest for version in new)
            if unknown and number:
                return number
            for version in new:
                more = spent.likely(version.id, self._characters(version, example), self._judges)
                tokens, usd = tokens + more[0], usd + more[1]
            if not spent.fits((tokens, usd)):
                if number == 0:
                    spent.exhaust((tokens, usd))
                return max(number, 1)
            if unknown:
                return 1
        return len(examples)

    def _affordable(
        self, versions: Sequence[PromptVersion], examples: Sequence[Example], repeat: int
    ) -> list[Cell]:
        """The cells of as many whole examples as the budget allows; they are counted."""
        cells: list[Cell] = []
        if self.over:
            return cells
        spent = self._spending
        for example in examples:
            keys = [(version.id, example.id, repeat) for version in versions]
            new = [key for key in keys if key not in spent.counted]
            if new and not spent.may(spent.calls_of(len(new), len(cells), self._judges)):
                break
            spent.counted.update(new)
            spent.count("task", len(new))
            spent.count("judge", len(new) * self._judges)
            cells += [Cell(version, example, repeat) for version in versions]
        return cells

    def _limits(self) -> Limits | None:
        """What the first calls may take of money; later `_wave` knows what an answer takes."""
        spent = self._spending
        if spent.allowance.usd is None or spent.dearest:
            return None
        return self._asker.within(usd=max(spent.allowance.usd - spent.usd, 0.0), tokens=None)

    def _settle(self, cells: Sequence[Cell]) -> None:
        """Pay what came. Cells that a stop or too little money left unasked took nothing of the
        budget; one whose call failed is counted again when it is asked again.
        """
        spent, asked = self._spending, dict[tuple[str, str, int], bool]()
        for cell, run in self._asker.came(cells):
            spent.pay(run, self._characters(cell.version, cell.example))
            asked[_place(cell)] = run.scorable
        unasked = {_place(cell) for cell in cells} - asked.keys()
        spent.counted -= unasked | {place for place, done in asked.items() if not done}
        spent.count("task", -len(unasked))
        spent.count("judge", -len(unasked) * self._judges)
        if self._asker.stopped:
            spent.exhausted = spent.exhausted or self._asker.stopped

    def _result(self, outcome: Outcome, asked: int) -> Result:
        score = outcome.scores.get(self.primary)
        guards = {
            name: outcome.scores[name].outcome for name in self._guards if name in outcome.scores
        }
        return Result(
            outcome.cell.example,
            outcome.run.output or "",
            score.outcome if score is not None else None,
            (score.reason or score.unscored or "") if score is not None else "",
            guards,
            outcome.run,
            tokens_of(outcome.run, asked),
        )

    def _characters(self, version: PromptVersion, example: Example) -> int:
        """What a request says, about, for models that report no usage."""
        fixed = self._fixed.get(version.id)
        if fixed is None:  # a version's template is a copy each time
            fixed = sum(len(str(message.get("content"))) for message in version.template)
            self._fixed[version.id] = fixed
        return fixed + sum(len(str(value)) for value in example.inputs.values())

    def _remember(self, found: Mapping[str, Sequence[Result]], repeat: int) -> None:
        val = {example.id for example in self.val}
        for version, results in found.items():
            if repeat == 0:
                held = self._on_val.setdefault(version, {})
                held.update((r.example.id, r) for r in results if r.example.id in val)

    def on_val(self, version: PromptVersion) -> Sequence[Result]:
        """The results of a version on val so far."""
        return tuple(self._on_val.get(version.id, {}).values())

    # -- candidates

    def offer(
        self,
        version: PromptVersion,
        *,
        parents: Sequence[PromptVersion] = (),
        how: str,
        feedback: str = "",
        demonstrations: bool = False,
    ) -> bool:
        """Add a version as a candidate, unless it is vetoed; returns whether to evaluate it.

        demonstrations: copies of train rows are intended; otherwise they are flagged.
        """
        if version.id in self._lineage.candidates:
            return False
        ids = [parent.id for parent in parents] or [self.seed.id]
        reason = self._vetoes.against(version)
        if reason:
            self._lineage.note(Event(version.id, "vetoed", detail=reason))
            return False
        candidate = self._lineage.add(version, parents=ids, how=how, feedback=feedback)
        flag = "" if demonstrations else self._vetoes.copied(version)
        candidate.flags = (flag,) if flag else ()
        self._lineage.note(Event(version.id, "proposed", detail=flag))
        return True

    def note(self, version: PromptVersion, status: str, detail: str = "") -> None:
        """Record the state of a candidate on val: "raced_out" or "kept"."""
        scores = [r.score for r in self.on_val(version) if r.score is not None]
        mean = sum(scores) / len(scores) if scores else None
        candidate = self._lineage.candidates.get(version.id)
        results = self.on_val(version)
        if candidate is not None and results:
            candidate.tokens = sum(result.tokens for result in results) / len(results)
        self._lineage.note(Event(version.id, status, len(results), mean, detail))

    async def propose(
        self, text: str, *, model: str, how: str, parents: Sequence[PromptVersion] = ()
    ) -> str:
        """What a model answers to the text; "" if it gave nothing or the budget is spent.

        Each proposal is a call of the budget, and is recorded before it is evaluated.
        """
        await self._patient()
        number = len(self._lineage.proposals)
        if self.over or not self._spending.may(1):
            return ""
        self._spending.count("propose")
        version = PromptVersion(f"{{{{{_REQUEST}}}}}", model=model)
        ids = tuple(parent.id for parent in parents)
        try:
            run = await self._proposer.ask(version, {_REQUEST: text}, number)
        except CallError as error:
            self._lineage.propose(Proposal(number, how, ids, "", refused=str(error)))
            return ""
        self._spending.pay(run, len(text), role="propose")
        output = (run.output or "").strip() if run.answered else ""
        refused = "" if output else f"no text came back ({run.failure or 'empty'})."
        self._lineage.propose(Proposal(number, how, ids, output, run.id, refused=refused))
        return output


def _place(cell: Cell) -> tuple[str, str, int]:
    return cell.version.id, cell.example.id, cell.repeat
