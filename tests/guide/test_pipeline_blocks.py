"""The blocks of the page on pipelines run as they are printed: the study file, the project file,
the pytest module, the workflow's steps, the hooks, and the configuration of a coding agent's
client.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from mcp import Client, StdioServerParameters, stdio_client

from promptops.cli.__main__ import COMMANDS, group
from promptops.cli.demo import DEFINITIONS, SYSTEM
from promptops.lab import Dataset, Lab
from promptops.mcp.agent_tools import TOOLS
from promptops.study.project_file import ProjectFile
from promptops.testing.study_file import Declared

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "promptops" / "guide" / "pipelines.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def block(language: str, holding: str) -> str:
    [found] = [text for text in blocks(language) if holding in text]
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tour's data, two versions that the embedded model answers, v1 in prod."""
    place = tmp_path_factory.mktemp("printed")
    (place / "data").mkdir()
    rows = (ROOT / "data" / "support_tickets.jsonl").read_text(encoding="utf-8").splitlines()
    (place / "data" / "support_tickets.jsonl").write_text("\n".join(rows[:60]), encoding="utf-8")
    (place / "pyproject.toml").touch()
    lab = Lab(place)
    triage = lab.prompt("support-triage")
    triage.save("Classify this ticket: {{ticket}}", model="embedded")
    messages = [{"role": "system", "content": SYSTEM + DEFINITIONS}]
    triage.save([*messages, {"role": "user", "content": "{{ticket}}"}], model="embedded")
    lab.project.registry.promote(
        "support-triage", 1, "prod", author="ann", force=True, reason="first"
    )
    lab.store.close()
    (place / "study.toml").write_text(block("toml", "# study.toml"), encoding="utf-8")
    return place


def test_the_study_file_and_the_workflows_step_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`promptops evaluate study.toml --junit ... --markdown ...`, by the words of the block."""
    monkeypatch.chdir(project)
    declared = Declared.read(project / "study.toml")
    assert (declared.candidate, declared.baseline) == ("v2", "env:prod")
    steps = yaml.safe_load(block("yaml", "promptops evaluate study.toml"))
    words = steps[0]["run"].split("#")[0].split()
    assert words[0] == "promptops"
    done = CliRunner().invoke(group(), words[1:])
    assert done.exit_code in (0, 1), done.output
    assert (project / "prompts.xml").read_text().startswith("<?xml")
    assert steps[1]["run"].startswith("cat prompts.md ")
    assert "| metric |" in (project / "prompts.md").read_text(encoding="utf-8")


def test_the_project_file_is_read(tmp_path: Path) -> None:
    """Store, budget, models and prices, as printed; a wrong key is named as the page prints it."""
    text = block("toml", "# promptops.toml")
    (tmp_path / "promptops.toml").write_text(text, encoding="utf-8")
    assert tomllib.loads(text)["models"]["our-mini"]["api"] == "chat"
    lab = Lab(tmp_path)
    assert lab.project.prices["our-mini"]
    lab.store.close()
    assert ProjectFile.read(tmp_path).budget_usd == 5.0


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_is_yaml_and_names_commands_that_exist(text: str) -> None:
    """Every `promptops WORD` of a step is a command; the action takes the inputs that are given;
    the hooks are those of the repository.
    """
    action = yaml.safe_load((ROOT / ".github" / "action" / "action.yml").read_text())
    hooks = {each["id"] for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    read: Any = yaml.safe_load(text)
    if "repos" in read:
        assert {hook["id"] for hook in read["repos"][0]["hooks"]} == hooks
        return
    for step in read:
        if "/.github/action@" in step.get("uses", ""):
            assert set(step["with"]) <= set(action["inputs"])
            needed = {name for name, one in action["inputs"].items() if one.get("required")}
            assert needed <= set(step["with"])
        for word in re.findall(r"\bpromptops ([a-z]+)", step.get("run", "")):
            assert word in COMMANDS


def test_the_pytest_module_runs(project: Path, tmp_path: Path) -> None:
    """As printed: each example is a test by its id, and the summary has the verdict."""
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    (tmp_path / "test_prompts.py").write_text(block("python", "by_example"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "promptops.pytest_plugin"],
        cwd=tmp_path,
        env={
            **{name: value for name, value in os.environ.items() if "XDIST" not in name},
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # nbval alone takes seconds to import
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    counted = re.findall(r"(\d+) (?:passed|failed)", done.stdout)
    examples = Dataset.read(tmp_path / "data" / "support_tickets.jsonl").split("val")
    assert sum(map(int, counted)) == len(examples) + 1 > 2, done.stdout
    assert "error" not in done.stdout.splitlines()[-1]
    assert "test_prompts.py::test_not_worse: " in done.stdout


def test_the_clients_configuration_starts_a_server(project: Path) -> None:
    """The JSON as printed: its command and words start the server, which lists its tools."""
    [text] = blocks("json")
    told = json.loads(text)["mcpServers"]["promptops"]
    assert told["command"] == "promptops"
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "promptops", *told["args"]],
        cwd=str(project),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    async def session() -> set[str]:
        async with Client(stdio_client(server)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            found = await client.call_tool("show_budget", {})
            assert json.loads(found.content[0].text)["calls_left"] == 500  # type: ignore[union-attr]
            return names

    assert asyncio.run(session()) == set(TOOLS)
