"""Examples that stand in a prompt with their answers are named, before and after they are asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.dataset.example import Example
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.study.shown_examples import shown_examples
from promptops.version import PromptVersion

MakeLab = Callable[..., Lab]
TICKETS = [
    {"id": f"t{i}", "ticket": f"My parcel number {i} has not arrived yet.", "expected": kind}
    for i, kind in enumerate(["shipping", "refund", "other"] * 4)
]
PLAIN = "Answer with shipping, refund or other.\n{{ticket}}"


def version(*messages: tuple[str, str]) -> PromptVersion:
    return PromptVersion([{"role": role, "content": text} for role, text in messages])


SHORT = [{"id": f"w{i}", "word": f"w{i}", "expected": f"c{i % 2}"} for i in range(8)]


@pytest.mark.parametrize(
    ("messages", "rows", "shown"),
    [
        ([("user", PLAIN)], TICKETS, []),
        (
            [("user", 'E.g. "my parcel number 4 has NOT arrived yet" is refund.\n' + PLAIN)],
            TICKETS,
            ["t4"],
        ),
        ([("user", "Parcel number 4 is a word in it.\n" + PLAIN)], TICKETS, []),
        (
            [("user", "Classify w3"), ("assistant", "c1"), ("user", "Classify {{word}}")],
            SHORT,
            ["w3"],
        ),
        ([("user", "w3 is a c1, w4 and so on are not. Classify {{word}}")], SHORT, []),
        (
            [("user", "The text My parcel number 5 has not arrived yet. says nothing. {{ticket}}")],
            TICKETS,
            [],
        ),
    ],
    ids=["none", "in the text", "a part", "a message", "short words", "without its answer"],
)
def test_which_examples_a_prompt_shows(
    messages: list[tuple[str, str]], rows: list[dict[str, Any]], shown: list[str]
) -> None:
    data = Dataset.of(
        Example(
            inputs={k: v for k, v in row.items() if k not in ("id", "expected")},
            expected=row["expected"],
            id=row["id"],
        )
        for row in rows
    )
    assert list(shown_examples(version(*messages), data)) == shown


def test_it_is_said_before_the_calls_and_with_the_verdict(make_lab: MakeLab) -> None:
    """Five of twelve examples in the prompt: what wins by them alone was promoted in silence."""
    shots = "\n".join(f"{row['ticket']} -> {row['expected']}" for row in TICKETS[:5])

    def answer(request: dict[str, Any]) -> str:
        *told, asked = str(request["messages"][-1]["content"]).splitlines()
        return next((line.split(" -> ")[1] for line in told if line.startswith(asked)), "none")

    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("triage")
    v1, v2 = prompt.save(PLAIN, model="m"), prompt.save(f"{shots}\n{PLAIN}", model="m")
    said = "The prompt of v2 shows 5 of the 12 examples with their answers (t0, t1, t2, ...)"
    with pytest.warns(UserWarning, match=re.escape(said)):
        study = lab.evaluate([v1, v2], TICKETS, [equals()], name="shown").wait()
    found = study.compare(candidate=v2, baseline=v1)
    assert any(note.startswith(said) for note in found.notes)
    assert said in study.report().read_text(encoding="utf-8")
