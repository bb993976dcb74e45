"""What the README shows is what the product does: its Python runs, its commands exist, its tables
are all of them.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptops.cli.__main__ import COMMANDS
from promptops.cli.demo import DEFINITIONS, SYSTEM
from promptops.embedded import EmbeddedClient
from promptops.store.schema import TABLES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = ROOT / "promptops" / "guide"
STORE = (GUIDE / "store.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PIPELINES = README.partition("## In pipelines\n")[2].partition("\n## ")[0]
PIPELINE_BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", PIPELINES, re.DOTALL))


def block(holding: str) -> str:
    """The README's Python that holds this, asked of the embedded model instead of one that needs a
    key.
    """
    found = [text for text in BLOCKS if holding in text]
    assert len(found) == 1, holding
    return found[0].replace('"gpt-4o-mini"', '"embedded"')


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The notebook's block in an empty project, from saving to rollback: the folder and names."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "data", folder / "data")
    (folder / "pyproject.toml").touch()
    names: dict[str, Any] = {
        "INSTRUCTIONS": SYSTEM + DEFINITIONS,
        "client": EmbeddedClient(),
        "text": "I was charged twice, u-10001",
    }
    with chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the embedded model is no LLM, as it says
        exec(block("lab = Lab()"), names)
        yield folder, names


def test_the_notebook_runs_as_shown(notebook: tuple[Path, dict[str, Any]]) -> None:
    """Block by block; v2 wins, serves, and is rolled back."""
    folder, names = notebook
    assert names["lab"].project.root == folder
    assert names["study"].compare(candidate="v2", baseline="v1").verdict.decision == "promote"


def test_the_application_runs_as_shown(
    notebook: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines ask what serves: v1, since v2 was rolled back."""
    _, names = notebook
    text = block('promptops.load("support-triage", env="prod")')
    exec(text.replace("client.chat", "reply = client.chat"), names)
    assert names["prompt"].number == 1
    assert names["reply"].choices[0].message.content


class Collector:
    """A plugin of the pytest that runs the README's test."""

    def __init__(self) -> None:
        self.reports: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reports.append(report)


def test_the_pytest_block_runs_as_shown(
    notebook: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest version, v2, against v1, which prod serves; on answers of the notebook's study."""
    folder, names = notebook
    before = names["lab"].store.rows("select count(*) from runs")
    tests = folder / "test_prompts.py"
    tests.write_text("import pytest\n" + block("@pytest.mark.prompt"), encoding="utf-8")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    found = Collector()
    words = ["-q", "-p", "promptops.pytest_plugin", "-p", "no:cacheprovider", "--strict-markers"]
    code = pytest.main([*words, "--import-mode=importlib", str(tests)], plugins=[found])
    assert code == 0, [report.longreprtext for report in found.reports]
    [called] = [report for report in found.reports if report.when == "call"]
    assert (called.passed, called.location[2]) == (True, "test_not_worse")
    [(_, sentence)] = found.reports[-1].user_properties
    assert "than v1" in str(sentence)
    assert names["lab"].store.rows("select count(*) from runs") == before


def test_the_action_and_the_server_are_those_of_the_guide() -> None:
    """What is printed here is printed there, where it runs: tests/testing/test_action.py gives the
    action what stands here, and tests/guide/test_pipeline_blocks.py starts the server.
    """
    [step] = yaml.safe_load(PIPELINE_BLOCKS["yaml"])
    assert (ROOT / step["uses"].partition("/promptops/")[2].partition("@")[0]).is_dir()
    guide = (GUIDE / "pipelines.md").read_text(encoding="utf-8")
    assert step["uses"] in guide
    told = json.loads(re.findall(r"```json\n(.*?)```", guide, re.DOTALL)[0])
    told = told["mcpServers"]["promptops"]
    words = PIPELINE_BLOCKS["sh"].partition("#")[0].split()
    assert words == [told["command"], *told["args"]]


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
