"""A pool of instructions, raced on val: texts that were given, operators that need no model, and
paraphrases that a model proposes.

Strong where the model lacks knowledge that the train rows have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from ..dataset import Example
from ..errors import StudyError
from ..version import PromptVersion
from .halving import mean_of, race
from .operators import Beside, definitions, form_of, labelled, reordered, shorter, text_of
from .task import Result, Task
from .texts import instructions_of, with_instructions

__all__ = ["Instructions", "unfenced"]

# how a label may be defined: by how many words, beside which rows
_DEFINED: Sequence[tuple[int, Beside]] = ((24, "all"), (12, "next"), (24, "next"), (36, "next"))
_SHARE = 0.9  # of the calls that are left, for the first race
_ASKED = 4  # the train rows that show what the winner gets wrong take 1 call in 4
_FENCED = re.compile(r"```[a-z]*\n(.*?)```", re.S)
_ASK = """You improve the instruction of a prompt. It is used on texts like the ones below.

The instruction now:
\"\"\"
{text}
\"\"\"

{failures}
Write a better instruction. {must}Do not copy the examples. Answer with the instruction alone, \
between ``` fences."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """The method "instructions", or with your own pool: `method=Instructions(texts=[...])`.

    texts: whole instructions; one with all variables of the seed becomes the user message, any
    other the system message. operators: whether instructions are also made from the train rows.
    proposer: the model that proposes paraphrases, or None; paraphrases: their number.
    """

    texts: Sequence[str] = ()
    operators: bool = True
    proposer: str | None = None
    paraphrases: int = 4

    def __post_init__(self) -> None:
        if isinstance(self.texts, str):
            raise StudyError("texts is one text; pass a list, as in texts=[...].")
        object.__setattr__(self, "texts", tuple(self.texts))
        if not (self.texts or self.operators or self.proposer):
            raise StudyError("a pool needs texts, operators or a proposer; name at least one.")

    @property
    def name(self) -> str:
        return "instructions"

    def document(self) -> Mapping[str, object]:
        """The settings that determine the search."""
        return {
            "texts": list(self.texts),
            "operators": self.operators,
            "proposer": self.proposer,
            "paraphrases": self.paraphrases if self.proposer else 0,
        }

    async def run(self, task: Task, rng: Random) -> None:
        """Race the pool; then vary its winner once, and race that."""
        pool: list[PromptVersion] = []
        for text, how in (*((text, "given text") for text in self.texts), *self._made(task)):
            _take(task, pool, text, how, task.seed)
        await self._paraphrased(task, pool, task.seed)
        order = rng.random()  # of the rows in both races, so that the winner's answers serve again
        best = await race(task, pool, Random(order), _SHARE)
        if task.over or best is task.seed or mean_of(task.on_val(best)) == 1.0:
            return
        second: list[PromptVersion] = []
        if self.operators:
            text = instructions_of(best)
            for how, made in (
                ("failed train rows added", await self._amended(task, best, text)),
                ("reordered", reordered(text)),
                ("shortened", shorter(text)),
            ):
                for each in made:
                    _take(task, second, each, how, best)
        await self._paraphrased(task, second, best)
        if second:
            await race(task, [best, *second], Random(order))

    def _made(self, task: Task) -> Iterator[tuple[str, str]]:
        """Instructions that the train rows give by themselves."""
        if not self.operators:
            return
        pairs = _pairs(task)
        rows, now = labelled(pairs), instructions_of(task.seed)
        form = form_of(rows, pairs)
        wording = rows is not None and all(label in now for label in rows.labels)
        head = now if wording or form in now else f"{now} {form}".strip()
        if head != now:
            yield head, "form of the answer stated"
        if rows is None:
            return
        for words, beside in _DEFINED:
            told = definitions(rows, words, beside)
            others = "all others" if beside == "all" else "the nearest label"
            yield f"{head}\n\n{told}", f"labels defined by {words} words, against {others}"
        answers = (result.output.strip() for result in task.on_val(task.seed))
        if head != now or any(answer not in rows.texts for answer in answers):
            # the form is the matter, and the seed's own wording may be in the way
            told = definitions(rows, *_DEFINED[0])
            yield f"{form}\n\n{told}", "form stated, and labels defined"

    async def _amended(self, task: Task, best: PromptVersion, text: str) -> list[str]:
        """The winner's definitions, with words of the train rows that it gets wrong."""
        pairs = _pairs(task)
        rows = labelled(pairs)
        used = [each for each in _DEFINED if rows and definitions(rows, *each) in text]
        if rows is None or not used:
            return []
        most = len(pairs) if task.left is None else task.left // _ASKED // task.calls_of_an_answer
        asked = [example for example, _ in pairs[:most]]
        found = await task.ask([best], asked)
        right = {example.id: answer for example, answer in pairs}
        failed: dict[str, list[str]] = {}
        for result in found[best.id]:
            if not result.score:
                failed.setdefault(right[result.example.id], []).append(text_of(result.example))
        return [text.replace(definitions(rows, *used[0]), definitions(rows, *used[0], failed))]

    async def _paraphrased(
        self, task: Task, pool: list[PromptVersion], parent: PromptVersion
    ) -> None:
        if self.proposer is None:
            return
        failed = [r for r in task.on_val(parent) if not r.score][:3]
        if not failed:
            found = await task.ask([parent], list(task.train)[:8])
            failed = [r for r in found[parent.id] if not r.score][:3]
        feedback = _told(failed)
        names = [f"{{{{{variable.name}}}}}" for variable in parent.variables]
        in_user = len(parent.template) == 1
        must = f"Keep {', '.join(names)} in it. " if in_user and names else ""
        text = _ASK.format(text=instructions_of(parent), failures=feedback, must=must)
        for _ in range(self.paraphrases):
            reply = await task.propose(
                text, model=self.proposer, how="paraphrase", parents=[parent]
            )
            if reply:
                _take(task, pool, unfenced(reply), "paraphrase", parent, feedback)


def _pairs(task: Task) -> list[tuple[Example, str]]:
    return [(each, text) for each in task.train if (text := task.golden_text(each))]


def _take(
    task: Task,
    pool: list[PromptVersion],
    text: str,
    how: str,
    parent: PromptVersion,
    feedback: str = "",
) -> None:
    version = with_instructions(parent, text)
    if version is not None and task.offer(version, parents=[parent], how=how, feedback=feedback):
        pool.append(version)


def unfenced(reply: str) -> str:
    """The text between the fences of a reply; all of it if there are none."""
    found = _FENCED.search(reply)
    return (found[1] if found else reply).strip()


def _told(failed: Sequence[Result]) -> str:
    if not failed:
        return ""
    lines = [
        f"Input: {' '.join(map(str, r.example.inputs.values()))[:300]}\nAnswer: {r.output[:200]}\n"
        f"Wrong: {r.reason or 'not the golden answer'}"
        for r in failed
    ]
    return "It fails here:\n" + "\n\n".join(lines) + "\n"
