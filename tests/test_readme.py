"""What the README shows is what the product does: its Python runs, its commands exist, its tables
are all of them.
"""

from __future__ import annotations

import csv
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from promptops.cli.__main__ import COMMANDS
from promptops.cli.demo import DEFINITIONS, SYSTEM
from promptops.embedded import EmbeddedClient
from promptops.registry import loading
from promptops.store.schema import TABLES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = ROOT / "promptops" / "guide"
STORE = (GUIDE / "store.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def block(holding: str) -> str:
    """The README's Python that holds this, asked of the embedded model instead of one that needs a
    key.
    """
    found = [text for text in BLOCKS if holding in text]
    assert len(found) == 1, holding
    return found[0].replace('"gpt-4o-mini"', '"embedded"')


def test_the_notebook_and_the_application_run_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block by block in an empty project: from saving to rollback, then the application's lines."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "_LOADERS", {})
    names: dict[str, Any] = {
        "INSTRUCTIONS": SYSTEM + DEFINITIONS,
        "client": EmbeddedClient(),
        "text": "I was charged twice, u-10001",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the embedded model is no LLM, as it says
        exec(block("lab = Lab()"), names)
        exec(
            block('promptops.load("support-triage", env="prod")').replace(
                "client.chat", "reply = client.chat"
            ),
            names,
        )
    assert names["lab"].project.root == tmp_path
    assert names["study"].compare(candidate="v2", baseline="v1").verdict.decision == "promote"
    assert names["prompt"].number == 1  # v2 was rolled back
    assert names["reply"].choices[0].message.content


def test_a_table_is_compared_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As shown, from a CSV file."""
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("question", "gpt_answer", "mini_answer", "gold"))
        writer.writerows(
            (f"{n} + {n}", str(2 * n), str(2 * n if n % 3 else 0), str(2 * n)) for n in range(1, 61)
        )
    text = block("from promptops.lab import compare")
    names: dict[str, Any] = {}
    exec(text.replace("\ncompare(", "\nfound = compare("), names)
    assert (
        names["found"].primary.wins,
        names["found"].primary.losses,
        names["found"].primary.n,
    ) == (0, 20, 60)
    assert names["found"].verdict.decision == "reject"


def test_commands_and_tables_are_those_that_exist() -> None:
    """Every `promptops WORD` is a command; every table of the store is named."""
    words = set(re.findall(r"`promptops ([a-z]+)", README))
    assert words <= set(COMMANDS), words - set(COMMANDS)
    assert [name for name in TABLES if f"`{name}`" not in STORE] == []


def test_the_two_commands_are_one_line_each() -> None:
    """What a fresh machine is told to run is what the gate runs."""
    assert (
        "python3 -m venv .venv && .venv/bin/python -m pip install -q uv && .venv/bin/uv run"
        " promptops demo\n" in README
    )
    assert (
        "python3 -m venv .venv && .venv/bin/python -m pip install -q uv && .venv/bin/uv run"
        " pytest\n" in README
    )
    assert ".venv/bin/uv run pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
