"""Cases that were handed over with the names of an earlier release, by today's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.errors import Refused
from promptops.lab import Lab, compare
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

MakeLab = Callable[..., Lab]


def test_twelve_rows_three_times_each_stay_refused(make_lab: MakeLab) -> None:
    """Rows that a rerun of a cell appended again ask nothing and are no new evidence."""
    asked: list[str] = []

    def answer(call: Any) -> str:
        text = call.request["messages"][-1]["content"]
        asked.append(text)
        return "yes" if int(text.split()[-1]) % 10 < (8 if text.startswith("B") else 5) else "no"

    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("w")
    v1, v2 = prompt.save("A {{q}}", model="m"), prompt.save("B {{q}}", model="m")
    rows = [{"q": str(i), "expected": "yes"} for i in range(12)]
    lab.promote(v1, env="prod", study=lab.evaluate([v1], rows, [equals()], name="base"))
    once = lab.evaluate([v1, v2], rows, [equals()], name="once")
    with pytest.raises(Refused):
        lab.promote(v2, env="prod", study=once)
    calls = len(asked)
    thrice = lab.evaluate([v1, v2], rows * 3, [equals()], name="copies")
    assert len(asked) == calls
    with pytest.raises(Refused):
        lab.promote(v2, env="prod", study=thrice)
    assert "12 examples" in thrice.compare(candidate=v2, baseline=v1).statement()


def days(wrap: str = "Thank you! It is {}.", right: float = 1.0) -> list[dict[str, str]]:
    """Arm "wrapped" has the share `right` of the golden answers in a sentence, arm "bare" three of
    four as they are.
    """
    return [
        {
            "id": f"e{i}",
            "gold": f"{i} days",
            "wrapped": wrap.format(f"{i} days" if i <= 60 * right else "a while"),
            "bare": f"{i} days" if i % 4 else "no",
        }
        for i in range(1, 61)
    ]


@pytest.mark.parametrize("candidate", ["wrapped", "bare"])
@pytest.mark.parametrize("wrap", ["Thank you! It is {}.", "**{}**", "Answer: {}", '"{}" it is'])
def test_a_wrapped_golden_answer_is_right_in_either_arm(candidate: str, wrap: str) -> None:
    """Exact match would call every wrapped answer wrong and promote the bare arm."""
    baseline = "bare" if candidate == "wrapped" else "wrapped"
    found = compare(days(wrap), baseline=baseline, candidate=candidate, expected="gold")
    sign = 1 if candidate == "wrapped" else -1
    assert found.primary.gain == pytest.approx(sign * 0.25)
    assert found.verdict.decision == ("promote" if candidate == "wrapped" else "reject")
    assert "contain" in " ".join([str(found), *found.notes]) or "**" in wrap  # exact reads bold


def test_exact_match_would_reverse_the_verdict() -> None:
    """What the guess is for: by exact match the worse arm is promoted."""
    named = {"baseline": "wrapped", "candidate": "bare", "expected": "gold"}
    exact = compare(days(), scorer=equals(), **named)  # type: ignore[arg-type]
    assert exact.verdict.decision == "promote"
    assert compare(days(), **named).verdict.decision == "reject"  # type: ignore[arg-type]


def test_a_worse_arm_that_wraps_is_still_worse() -> None:
    """Reading within the sentence is no gift: the wrapped arm is right on fewer."""
    found = compare(days(right=0.45), baseline="wrapped", candidate="bare", expected="gold")
    assert found.primary.gain == pytest.approx(0.75 - 0.45)
    assert found.verdict.decision == "promote"


def test_fewer_than_a_fifth_are_wrong_and_the_guess_says_so() -> None:
    """Exact match stays the guess, and its sentence counts what it calls wrong."""
    found = compare(days(right=0.3), baseline="wrapped", candidate="bare", expected="gold")
    assert found.primary_name.startswith("exact")
    assert "18 answers with the golden one within other words count as wrong" in repr(found)
