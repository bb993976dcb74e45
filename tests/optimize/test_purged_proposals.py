"""A purge of an example reaches what a search told its proposer of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from promptops.lab import Dataset
from promptops.models.protocol import Call
from promptops.models.scripted import ScriptedModel
from promptops.optimize import Gepa, Instructions
from promptops.scorers import equals
from promptops.store.schema import TABLES

METHODS = {"gepa": Gepa(proposer="big", minibatch=3), "instructions": Instructions(proposer="big")}


@pytest.mark.parametrize("name", METHODS)
def test_a_purge_reaches_what_a_proposer_was_shown(make_lab: Callable[..., Any], name: str) -> None:
    """The person's words had stayed in the proposals' requests and with the candidates; the other
    proposals stay, and the search goes on.
    """
    if name == "gepa":
        pytest.importorskip("gepa")
    asked: list[Call] = []

    def propose(call: Call) -> str:
        asked.append(call)
        return f"```\nSort ticket {len(asked)} into billing or bug. {{{{ticket}}}}\n```"

    models = {"m": ScriptedModel(lambda request: "bug"), "big": ScriptedModel(propose)}
    lab = make_lab(models=models)
    rows = [
        {
            "id": f"t{i}",
            "ticket": f"it broke, says person-{i:03}",
            "gold": ("billing", "bug")[i % 2],
        }
        for i in range(80)
    ]
    data = Dataset.read(rows, inputs=["ticket"], expected="gold")
    seed = lab.prompt("triage").save("Sort: {{ticket}}", model="m")
    search = lab.optimize(seed, data, [equals()], method=METHODS[name], budget_calls=120)
    told = "select request::varchar from runs where role = 'propose'"
    shown = [set(re.findall(r"person-(\d+)", text)) for (text,) in lab.store.rows(told)]
    one = min(set.union(*shown))
    lab.store.purge([f"t{int(one)}"])
    for table in TABLES:
        left = f"select count(*) from {table} x where x::varchar like '%person-{one}%'"
        assert lab.store.rows(left) == [(0,)], table
    assert len(lab.store.rows(told)) == sum(one not in people for people in shown)
    assert lab.store.verify() == []
    assert lab.store.stats()["rows"]["candidates"] == len(search.candidates)
