"""The label-by-label tables of a comparison: true to the confusion, safe, and short."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.classes import GoldenLabels
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.views.class_view import classes_html


def labelled(answers: dict[str, list[str]], golden: list[str]) -> ComparisonFacts:
    """One arm per entry, its answers beside the golden labels; the last one is the baseline."""
    labels = {f"e{i:03}": (label,) for i, label in enumerate(golden)}
    arms = []
    for name, given in answers.items():
        right = {
            e: [float(answer == one[0])]
            for (e, one), answer in zip(labels.items(), given, strict=True)
        }
        said = dict(zip(labels, given, strict=True))
        arms.append(Arm(name, name, {"equals": Outcomes.of(right)}, answers=said))
    return compare(arms[0], arms[1], grounds=ComparisonContext(labels=GoldenLabels(labels)))


def cells(html: str) -> list[str]:
    return [part.split("</td>")[0].split(">", 1)[1] for part in html.split("<td")[1:]]


def test_the_confusion_of_both_arms_is_shown() -> None:
    """v2 calls 3 of 10 "ham" spam and 1 of 20 "spam" something else; v1 says "spam" always."""
    golden = ["spam"] * 20 + ["ham"] * 10
    v2 = ["spam"] * 19 + ["(other)"] + ["spam"] * 3 + ["ham"] * 7
    shown = classes_html(labelled({"v2": v2, "v1": ["spam"] * 30}, golden))  # type: ignore[arg-type]
    assert shown.startswith("<details><summary>Label by label (2 labels")
    first, second = shown.split("golden labels down")[1:]
    assert cells(second) == ["spam", "<b>19</b>", "0", "1", "ham", "3", "<b>7</b>", "0"]
    assert cells(first) == ["spam", "<b>20</b>", "0", "0", "ham", "10", "<b>0</b>", "0"]
    assert "v1 50.0 %, v2 82.5 %" in shown
    assert "95.0 %" in shown  # recall of spam


def test_many_labels_are_counted_together_and_markup_is_text() -> None:
    """Twelve labels are shown, the rest in one row; every example is in one cell."""
    golden = [f"<b>{i % 14}" for i in range(140)]
    comparison = labelled({"v2": golden, "v1": golden[1:] + golden[:1]}, golden)
    shown = classes_html(comparison)  # type: ignore[arg-type]
    assert "<td data-label='label'><b>" not in shown
    assert "&lt;b&gt;0" in shown
    first = cells(shown.split("golden labels down")[1])
    numbers = [int(cell.strip("</b>")) for cell in first if cell.strip("</b>").isdigit()]
    assert sum(numbers) == 140
    assert "(other labels)" in shown


def test_free_text_has_no_table() -> None:
    """Where the primary matches no label of few, nothing is shown."""
    plain: Any = SimpleNamespace(classes=None)
    assert classes_html(plain) == ""
