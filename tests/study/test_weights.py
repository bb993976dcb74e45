"""Examples weighed by a column of counts, from a table to a promotion that verifies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import Refused, StudyError
from promptops.evidence import Evidence
from promptops.lab import Lab, Policy, compare
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

MakeLab = Callable[..., Lab]


def table(n: int = 60, won: int = 20, **more: Any) -> list[dict[str, Any]]:
    """B is right on everything, A not on the first `won`."""
    return [
        {"q": f"q{i}", "gold": "yes", "a": "no" if i < won else "yes", "b": "yes", **more}
        for i in range(n)
    ]


def counted(rows: list[dict[str, Any]], counts: list[Any]) -> list[dict[str, Any]]:
    return [{**row, "count": count} for row, count in zip(rows, counts, strict=True)]


def judge(rows: Any, **more: Any) -> Any:
    return compare(rows, baseline="a", candidate="b", expected="gold", **more)


def test_a_table_of_distinct_questions_with_counts() -> None:
    """The weighted means, what is left of n, and the distinct examples all stand there."""
    found = judge(counted(table(), [1 + i % 3 for i in range(60)]), weights="count")
    assert found.primary.n == 60
    note = next(note for note in found.notes if note.startswith("Weighed by count"))
    assert "51.4 effective examples of 60" in note
    assert found.verdict.decision == "promote"


def test_counts_of_text_files_are_numbers(tmp_path: Path) -> None:
    """A CSV holds text; "3" is 3."""
    rows = counted(table(12, 8), [3] * 6 + [1] * 6)
    path = tmp_path / "t.csv"
    lines = [",".join(map(str, row.values())) for row in rows]
    path.write_text("\n".join([",".join(rows[0]), *lines]), encoding="utf-8")
    assert judge(path, weights="count").weighed.primary.gain == pytest.approx((18 + 2) / 24)


def test_counts_of_copies_add_up_and_are_no_input() -> None:
    """One question in two rows with the counts 3 and 4 is one example that weighs 7."""
    rows = counted(table(12, 6), [1] * 12)
    found = judge([*rows, {**rows[0], "count": 4}, {**rows[0], "count": 2}], weights="count")
    assert found.primary.n == 12
    assert found.weighed.primary.gain == pytest.approx((7 + 5) / 18)
    unweighed = judge([*rows, {**rows[0], "count": 4}])
    assert unweighed.primary.n == 13  # what the column means was not said


@pytest.mark.parametrize("bad", [-1, "", None, "many", True, "nan", "-inf", [3]])
def test_what_is_no_count_is_refused_by_its_row(bad: object) -> None:
    with pytest.raises(StudyError, match="row-3.*'count'.*a number from 0"):
        judge(counted(table(6, 3), [1, 1, bad, 1, 1, 1]), weights="count")


def test_the_door_names_the_columns_that_there_are() -> None:
    with pytest.raises(StudyError, match="'count', 'q'"):
        judge(counted(table(6, 3), [1] * 6), weights="counts")
    with pytest.raises(StudyError, match="every weight in the column 'count' is 0"):
        judge(counted(table(6, 3), [0] * 6), weights="count")
    with pytest.raises(StudyError, match="rename the column"):
        judge(table(6, 3, rows=2), weights="rows")


def answer(call: Any) -> str:
    """B is right on all, A on two of three."""
    text = call.request["messages"][-1]["content"]
    return "yes" if text.startswith("B") or int(text.split()[-1]) % 3 else "no"


def test_a_policy_by_weight_from_the_study_to_the_bundle(make_lab: MakeLab) -> None:
    """The registry keeps the column, the verdict holds by it, and `verify` computes it again."""
    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("w")
    v1, v2 = prompt.save("A {{q}}", model="m"), prompt.save("B {{q}}", model="m")
    rows = [{"q": str(i), "expected": "yes", "uses": 1 + i % 2} for i in range(48)]
    prompt.policy = Policy(weights="uses", accept_constant="there is one label")
    lab.promote(v1, env="prod", study=lab.evaluate([v1], rows, [equals()], name="base"))
    study = lab.evaluate([v1, v2], rows, [equals()], name="pair")
    found = study.compare(candidate=v2, baseline=v1)
    assert "weights" in {check.name for check in found.verdict.checks}
    deployed = lab.promote(v2, env="prod", study=study)
    evidence = Evidence.read(Path(lab.project.registry.path), deployed.evidence)
    assert evidence.dataset["weights"] == "uses"
    assert sorted(set(evidence.weights)) == [1, 2]
    assert evidence.figures["by weight"]["n"] == 48


def test_rare_gains_are_refused_by_weight(make_lab: MakeLab) -> None:
    """What B gains is asked once, what it cannot gain a thousand times."""
    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("w")
    v1, v2 = prompt.save("A {{q}}", model="m"), prompt.save("B {{q}}", model="m")
    rows = [{"q": str(i), "expected": "yes", "uses": 1000 if i < 2 else 1} for i in range(48)]
    lab.promote(v1, env="prod", study=lab.evaluate([v1], rows, [equals()], name="base"))
    prompt.policy = Policy(weights="uses")
    study = lab.evaluate([v1, v2], rows, [equals()], name="pair")
    with pytest.raises(Refused, match="weighed by uses"):
        lab.promote(v2, env="prod", study=study)
    assert study.compare(candidate=v2, baseline=v1, primary=None).primary.p_better < 0.001


@pytest.mark.parametrize("odd", [1e308, 1e16, "1e300"])
def test_a_weight_that_cannot_be_added_up_is_told(odd: object) -> None:
    """1e308 had ended the statistics with a ValueError of scipy's."""
    rows = counted(table(40, 28), [1.0] * 12 + [odd] * 28)
    with pytest.raises(StudyError, match="expected a number from 0 to 1e15"):
        judge(rows, weights="count")
