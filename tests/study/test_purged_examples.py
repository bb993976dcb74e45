"""Examples that were purged and are asked again: their clusters and golden answers are there again,
and so is what a search saw of them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from promptops.errors import Refused
from promptops.lab import Dataset, Lab
from promptops.models.protocol import Call
from promptops.models.scripted import ScriptedModel
from promptops.optimize import Instructions
from promptops.scorers import equals

LABELS = ("billing", "bug")


def lab(folder: Path) -> Lab:
    def answer(call: Call) -> str:
        """Right on every row for the candidate, and on every third for the baseline."""
        text = json.dumps(call.request)
        number = int(re.findall(r"number (\d+)", text)[0])
        right = "BETTER" in text or number % 3 == 0
        return LABELS[(number + (not right)) % 2]

    return Lab(folder, models={"m": ScriptedModel(answer)})


def tickets(n: int) -> Dataset:
    rows = [
        {"id": f"t{i}", "doc": f"d{i // 10}", "ticket": f"number {i}", "gold": LABELS[i % 2]}
        for i in range(n)
    ]
    return Dataset.read(rows, inputs=["ticket"], expected="gold", cluster="doc")


def test_their_clusters_count_in_the_next_verdict(tmp_path: Path) -> None:
    """Rows of one document had counted as independent, once their document was purged."""
    data, first = tickets(60), lab(tmp_path)
    prompt = first.prompt("triage")
    pair = [prompt.save(f"{word} {{{{ticket}}}}", model="m") for word in ("Sort", "BETTER")]
    before = first.evaluate(pair, data, [equals()], name="s").wait().compare()
    first.store.purge([example.id for example in data])
    again = lab(tmp_path)
    study = again.evaluate(pair, data, [equals()], name="s").wait()
    assert repr(study.compare()) == repr(before)
    recorded = lab(tmp_path).study("s").recorded.dataset
    assert (list(recorded), recorded.clusters) == (list(data), data.clusters)


@pytest.mark.parametrize("whole", [True, False])
def test_a_search_saw_them_still(tmp_path: Path, whole: bool) -> None:
    """The winner had been promoted on the rows that it was chosen on."""
    data, first = tickets(240), lab(tmp_path)
    seed = first.prompt("triage").save("Sort {{ticket}}", model="m")
    method = Instructions(texts=["BETTER {{ticket}}"], operators=False)
    search = first.optimize(seed, data, [equals()], method=method, budget_calls=300)
    winner = search.save(note="found")
    assert winner.id != seed.id
    shown = data if whole else data.val
    first.evaluate([seed, winner], shown, [equals()], name="shown").wait()
    first.store.purge([example.id for example in data])
    again = lab(tmp_path)
    study = again.evaluate([seed, winner], shown, [equals()], name="shown").wait()
    with pytest.raises(Refused, match="made or chose"):
        again.promote(winner, env="prod", study=study)
