"""A purge of live calls says which examples were made of them, and are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from promptops.models.scripted import ScriptedModel
from promptops.run import utc
from promptops.scorers import equals


def test_examples_that_were_made_of_purged_calls_are_named(make_lab: Callable[..., Any]) -> None:
    """The caller's words had stayed among the examples, and nothing said so."""
    lab = make_lab(models={"m": ScriptedModel(lambda request: "bug")})
    version = lab.prompt("triage").save("Sort: {{ticket}}", model="m")
    calls = [
        {
            "id": f"l-{n}",
            "response_id": f"resp-{n}",
            "prompt": "triage",
            "version_id": version.id,
            "env": "prod",
            "started_at": utc(),
            "values": json.dumps({"ticket": f"it broke, says person-{n}"}),
            "output": "bug",
            "kept": 1.0,
        }
        for n in range(4)
    ]
    lab.store.append("live", calls)
    votes = [
        {"id": f"f-{n}", "run": f"l-{n}", "kind": "correction", "correction": "bug", "at": utc()}
        for n in range(4)
    ]
    lab.store.append("feedback", votes)
    data = lab.live("triage").to_dataset("data/live.jsonl")
    assert "kept; remove" not in str(lab.store.purge(live=["l-0"]))  # nothing was recorded of it
    lab.evaluate([version], data, [equals()]).wait()
    id_ = next(each.id for each in data if "person-2" in str(each.inputs))
    left = lab.store.purge(live=["resp-2"]).left
    assert any("1 example made of these calls" in line and id_ in line for line in left), left
    lab.store.purge([id_])
    assert lab.store.rows("select * from examples x where x::varchar like '%person-2%'") == []
    assert lab.store.rows("select * from runs x where x::varchar like '%person-2%'") == []
