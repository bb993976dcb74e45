"""Asks a server of SmolLM2 what the recording beside holds, and writes it:
`python tests/optimize/record_smollm2.py http://127.0.0.1:PORT/v1`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from promptops.dataset import Dataset
from promptops.lab import Lab
from promptops.models.endpoint import EndpointModel
from promptops.optimize import FewShot
from promptops.scorers import equals

FOLDER = Path(__file__).with_name("recorded")
SEED = "Evaluate the Boolean expression.\n\nExpression: {{input}}"


def rows() -> Dataset:
    """The task's rows."""
    return Dataset.read(FOLDER / "boolean_expressions.jsonl", inputs=["input"])


def search(lab: Any) -> tuple[Any, Any]:
    """(seed version, search) that were recorded."""
    v1 = lab.prompt("boolean").save(SEED, model="smol", temperature=0, max_tokens=6)
    method = FewShot(k=4, candidates=8)
    found = lab.optimize(v1, rows(), [equals()], method=method, budget_calls=260, concurrency=1)
    return v1, found


def main(url: str) -> None:
    """Search, confirm, write."""
    model = EndpointModel(base_url=url, api_key="none")
    lab = Lab(tempfile.mkdtemp(), models={"smol": model})
    search(lab)[1].confirm()
    columns = (
        "example",
        "version",
        "output",
        "tokens_in",
        "tokens_out",
        "finish_reason",
        "failure",
    )
    found = lab.store.rows(
        "select example_id, version_id, output, tokens_in, tokens_out, finish_reason,"
        " failure from runs order by version_id, example_id"
    )
    lines = [json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in found]
    (FOLDER / "smollm2_answers.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
