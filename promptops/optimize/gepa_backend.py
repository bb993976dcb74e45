"""Reflective evolution by the library gepa, with our adapter, proposer and ids: for models that are
strong enough to reflect.

gepa runs in a worker thread and asks through the task, so that the budget, the record and the
replay are ours. Its own cache, its pickled state and its logger stay off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ..dataset import Example
from ..errors import MissingExtra, StudyError
from ..version import PromptVersion
from .task import Result, Task
from .texts import instructions_of, with_instructions

__all__ = ["Gepa"]

_PART = "instructions"
_FAILURES = 3  # proposals in a row that came to nothing, after which it stops
_ASK = """An instruction is used on texts like the ones below. Improve it.

The instruction now:
\"\"\"
{text}
\"\"\"

{records}
Write a better instruction that would have got these right, and others like them. {must}Do not \
copy the examples. Answer with the instruction alone, between ``` fences."""


class _Over(BaseException):
    """The budget is spent, or somebody stopped it; not an Exception, since gepa swallows those."""


@dataclass(frozen=True, slots=True)
class Gepa:
    """`method=Gepa(proposer="a-strong-model")`.

    proposer: name of the model that reflects; minibatch: train rows that it reflects on.
    """

    proposer: str | None = None
    minibatch: int = 5

    def __post_init__(self) -> None:
        if self.proposer is None:
            raise StudyError(
                'gepa reflects with a strong model; name it: method=Gepa(proposer="..."), or in a'
                ' study file proposer = "...".'
            )

    @property
    def name(self) -> str:
        return "gepa"

    def document(self) -> Mapping[str, object]:
        """What decides how it searches."""
        return {"proposer": self.proposer, "minibatch": self.minibatch}

    async def run(self, task: Task, rng: Random) -> None:
        """Let gepa search in a thread, its calls on this loop. Raises MissingExtra without gepa."""
        try:
            import gepa as library
        except ImportError:
            raise MissingExtra("method gepa", "optimize") from None
        gepa: Any = library
        bridge = _Bridge(self, task, asyncio.get_running_loop())
        adapter = _adapter(gepa, bridge)
        loader = _loader

        def search() -> None:
            try:
                gepa.optimize(
                    seed_candidate={_PART: instructions_of(task.seed)},
                    trainset=loader(task.train),
                    valset=loader(task.val),
                    adapter=adapter,
                    max_metric_calls=10**9 if task.left is None else max(task.left, 1),
                    stop_callbacks=lambda state: bool(task.over),
                    seed=rng.randrange(2**31),
                    reflection_minibatch_size=self.minibatch,
                    skip_perfect_score=False,
                    logger=_Silent(),
                    run_dir=None,
                    cache_evaluation=False,
                    display_progress_bar=False,
                )
            except _Over:
                return

        await asyncio.to_thread(search)
        if not bridge.offered and not task.over:
            raise StudyError(
                f"gepa made no candidate out of {bridge.asked} proposals; {self.proposer} may be"
                " too small to reflect."
            )


class _Silent:
    """gepa's logger, which prints by default."""

    def log(self, message: str) -> None:
        """Say nothing: events are recorded elsewhere."""


def _loader(data: Any) -> object:
    """Rows by our own ids: gepa's positions mix up train and val."""

    class Rows:
        def all_ids(self) -> list[str]:
            return [example.id for example in data]

        def fetch(self, ids: Sequence[str]) -> list[Example]:
            return [data.get(id_) for id_ in ids]

        def __len__(self) -> int:
            return len(data)

    return Rows()


class _Bridge:
    """What gepa's thread asks of the task, which lives on the loop."""

    def __init__(self, method: Gepa, task: Task, loop: asyncio.AbstractEventLoop) -> None:
        self.method, self.task, self._loop = method, task, loop
        self.asked = self.offered = self._failed = 0
        self._texts: dict[str, PromptVersion] = {instructions_of(task.seed): task.seed}

    def version(self, candidate: Mapping[str, str]) -> PromptVersion:
        """The version of a candidate's text."""
        return self._texts[candidate[_PART]]

    def ask(
        self, items: Sequence[tuple[Mapping[str, str], Sequence[Example]]]
    ) -> list[list[Result]]:
        """The results of each; raises _Over where the budget does not give all of them."""
        out = []
        for candidate, batch in items:
            version = self.version(candidate)
            found = self._wait(self.task.ask([version], list(batch)))[version.id]
            if len(found) < len(batch):
                raise _Over
            self.task.note(version, "kept")
            out.append(found)
        return out

    def propose(self, candidate: Mapping[str, str], records: Sequence[Mapping[str, object]]) -> str:
        """A new text for the candidate that was let in; "" for none."""
        from .instructions import unfenced

        if self.task.over or self._failed >= _FAILURES:
            raise _Over
        parent = self.version(candidate)
        told = "\n\n".join(
            f"Input: {r['Inputs']}\nAnswer: {r['Generated Outputs']}\nFeedback: {r['Feedback']}"
            for r in records
        )
        names = [f"{{{{{variable.name}}}}}" for variable in parent.variables]
        alone = len(parent.template) == 1 and instructions_of(parent).find("{{") >= 0
        must = f"Keep {', '.join(names)} in it. " if alone else ""
        text = _ASK.format(text=candidate[_PART], records=told, must=must)
        assert self.method.proposer is not None
        asking = self.task.propose(
            text, model=self.method.proposer, how="reflection", parents=[parent]
        )
        self.asked += 1
        new = unfenced(self._wait(asking))
        version = with_instructions(parent, new) if new else None
        if version is None or not self.task.offer(
            version, parents=[parent], how="reflection", feedback=told
        ):
            self._failed += 1
            return ""
        self._failed, self.offered = 0, self.offered + 1
        self._texts[new] = version
        return new

    def _wait(self, work: Any) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except BaseException as error:
            if self.task.halted:
                raise _Over from error
            raise


def _adapter(gepa: Any, bridge: _Bridge) -> object:
    """gepa's adapter over the bridge; a subclass, since gepa looks methods up on it."""

    class Adapter(gepa.GEPAAdapter):  # type: ignore[misc]  # gepa is imported when it is used
        def evaluate(
            self, batch: list[Example], candidate: dict[str, str], capture_traces: bool = False
        ) -> object:
            [found] = bridge.ask([(candidate, batch)])
            return gepa.EvaluationBatch(
                outputs=[result.output for result in found],
                scores=[result.score or 0.0 for result in found],
                trajectories=found if capture_traces else None,
            )

        def make_reflective_dataset(
            self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
        ) -> dict[str, list[dict[str, object]]]:
            records = [
                {
                    "Inputs": " ".join(map(str, result.example.inputs.values()))[:600],
                    "Generated Outputs": result.output[:300],
                    "Feedback": "right" if result.score == 1.0 else result.reason or "wrong",
                }
                for result in eval_batch.trajectories or ()
            ]
            return dict.fromkeys(components_to_update, records)

        def propose_new_texts(
            self,
            candidate: dict[str, str],
            reflective_dataset: Mapping[str, Sequence[Mapping[str, object]]],
            components_to_update: list[str],
        ) -> dict[str, str]:
            text = bridge.propose(candidate, reflective_dataset.get(_PART, ()))
            return {_PART: text} if text else {}

    return Adapter()
