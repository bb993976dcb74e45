"""The clusters of an earlier study stay in force where a later dataset does not declare them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.analysis.caveats import caveats
from promptops.analysis.recompute import recompute
from promptops.errors import Refused
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.study.promotion_basis import evidence_of

MakeLab = Callable[..., Lab]
Row = dict[str, Any]


def rows(n: int = 60, *, clusters: bool = True, **beside: Any) -> list[Row]:
    return [
        {"id": f"e{i}", "q": str(i), "expected": "yes", **beside}
        | ({"cluster": f"d{i // 8}"} if clusters else {})
        for i in range(n)
    ]


def answer(call: Any) -> str:
    """A is right on the even rows; B too, and on eight more, which are of two clusters."""
    name, number = call.request["messages"][-1]["content"].split()
    return "yes" if int(number) % 2 == 0 or (name == "B" and int(number) < 16) else "no"


def lab_of(make_lab: MakeLab) -> tuple[Lab, Any, Any]:
    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("w")
    return lab, prompt.save("A {{q}}", model="m"), prompt.save("B {{q}}", model="m")


DROPPED: dict[str, list[Row]] = {
    "the column": rows(clusters=False),
    "the column, beside a new one": [row | {"n": i} for i, row in enumerate(rows(clusters=False))],
    "most of them": [row | {"cluster": row["id"]} for row in rows()],
    "the rows of some clusters": [row for row in rows(clusters=False) if int(row["q"]) < 50],
    "a space": [row | {"q": row["q"] + " "} for row in rows(clusters=False)],
    "rows doubled": [
        row | {"id": f"{k}{row['id']}", "n": f"{k}"} for row in rows(clusters=False) for k in (1, 2)
    ],
}


@pytest.mark.parametrize("dropped", DROPPED)
def test_dropping_clusters_after_a_look_changes_nothing(make_lab: MakeLab, dropped: str) -> None:
    """Eight won and none lost are p = 1/256 as examples, and p = 1/4 as two clusters."""
    lab, a, b = lab_of(make_lab)
    first = lab.evaluate([a, b], rows(), [equals()], name="first").compare(candidate=b, baseline=a)
    assert (first.verdict.decision, first.primary.clusters) == ("inconclusive", 8)
    study = lab.evaluate([a, b], DROPPED[dropped], [equals()], name="second")
    second = study.compare(candidate=b, baseline=a)
    assert second.primary.p_better == first.primary.p_better == 0.25
    assert second.verdict.decision == "inconclusive"
    assert any("The study first judged these examples by clusters" in c for c in caveats(second))
    lab.promote(a, env="prod", force=True, reason="the first")
    with pytest.raises(Refused):
        lab.promote(b, env="prod", study=study)


def test_imported_answers_keep_their_clusters(make_lab: MakeLab) -> None:
    lab = make_lab()
    table = [
        {"example_id": f"e{i}", "version": v, "output": "yes" if i % 2 == 0 or i < most else "no"}
        for v, most in (("a", 0), ("b", 16))
        for i in range(60)
    ]
    for name, clusters in (("one", True), ("two", False)):
        data = rows(clusters=clusters)
        study = lab.import_runs(table, data, [equals()], prompt="w", name=name)
        found = study.compare(candidate="b", baseline="a")
        assert (found.primary.p_better, found.verdict.decision) == (0.25, "inconclusive")


def test_what_was_judged_first_keeps_its_verdict(make_lab: MakeLab) -> None:
    """Clusters that a later study declares, and those of other examples, change nothing here."""
    lab, a, b = lab_of(make_lab)
    other = [row | {"id": f"x{i}", "q": str(1000 + i)} for i, row in enumerate(rows())]
    lab.evaluate([a, b], other, [equals()], name="other").wait()
    study = lab.evaluate([a, b], rows(clusters=False), [equals()], name="first")
    for _ in range(2):
        found = study.compare(candidate=b, baseline=a)
        assert (found.verdict.decision, found.primary.clusters) == ("promote", None)
        assert not found.grounds.clustered_by
        lab.evaluate([a, b], rows(), [equals()], name="clustered").wait()


def test_evidence_holds_the_clusters_that_stay_in_force(make_lab: MakeLab) -> None:
    lab, a, b = lab_of(make_lab)
    lab.evaluate([a, b], rows(), [equals()], name="first").wait()
    lab.promote(a, env="prod", force=True, reason="the first")
    study = lab.evaluate([a, b], rows(clusters=False), [equals()], name="second").wait()
    evidence = evidence_of(lab.project, b, "prod", study.recorded)
    assert evidence is not None
    assert len(set(evidence.clusters or ())) == 8
    assert all(figure.same for figure in recompute(evidence))
