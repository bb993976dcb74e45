"""Which changed examples a report shows as texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals


def test_a_report_has_no_text_of_examples_of_earlier_studies(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """They count in the figures; what was answered there is not called "no answer" here."""
    lab = make_lab(models={name: ScriptedModel([name] * 20) for name in ("yes", "no")})
    versions = [lab.prompt("two").save("{{q}}", model=name) for name in ("no", "yes")]
    rows = [{"id": f"e{i}", "q": str(i), "expected": "yes"} for i in range(20)]
    lab.evaluate(versions, Dataset.read(rows), [equals()], name="all").compare()
    study = lab.evaluate(versions, Dataset.read(rows[:1]), [equals()], name="one")
    assert study.compare().primary.wins == 20
    shown = study.report(tmp_path / "one.html").read_text(encoding="utf-8")
    assert "19 changed examples of earlier studies are counted above" in shown
    assert "<b>e0</b>" in shown
    assert "<b>earlier example" not in shown
    assert "<i>no answer</i>" not in shown
