"""What a pull request shows below a comparison: losses with both answers, cost, the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.views.pull_request_text import pull_request_text


def test_losses_cost_and_gate(tmp_path: Path) -> None:
    """The first five with what was expected and both answers, as code; what the answers
    cost; each point of the gate with its next step.
    """

    def answer(request: Any) -> str:
        text = str(request)
        return "right" if "First" in text or "ticket 9" in text else "**@all** [x](http://y)\nno"

    lab = Lab(tmp_path, models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("triage")
    first = prompt.save("First {{ticket}}", model="m")
    second = prompt.save("Second {{ticket}}", model="m")
    rows = [{"id": f"e{n}", "ticket": f"ticket {n}", "expected": "right"} for n in range(10)]
    lab.project.registry.promote("triage", 1, "prod", author="ann", force=True, reason="first days")
    study = lab.evaluate([first, second], rows, [equals()])
    comparison = study.compare(candidate=second, baseline=first)
    text = pull_request_text(study, comparison, "prod")
    losses, cost, gate = text.split("\n\n", 2)[0], text.split("\n\n")[2], text.split("\n\n", 3)[3]
    assert losses == "**Got worse, the first 5 of 9**"
    listed = text.split("\n\n")[1].splitlines()
    assert len(listed) == 5
    assert listed[0].startswith("- `e0`, expected `right`: v1 answered `right`, v2 `**@")
    assert all(line.endswith("no`") for line in listed)
    assert cost.startswith("Cost: ")
    assert cost.endswith(" 20 answers, recorded ones included.") or "unknown, of 20" in cost
    assert gate.startswith("**Gate of prod**: v2 would be refused.\n\n- ")
    assert "Next: " in gate
    assert "Gate" not in pull_request_text(study, comparison)
    better = study.compare(candidate=first, baseline=second)
    assert pull_request_text(study, better).startswith("No example got worse.")
    lab.store.close()
