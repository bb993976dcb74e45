"""The composite action, run as it is written and with what the README gives it: its steps by bash,
its expressions resolved, against a loopback server that plays the host's interface.

The program `promptops` on the path hands its words to this process, so that a step costs no start
of an interpreter with everything in it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from promptops.cli.__main__ import group
from promptops.errors import PromptOpsError
from promptops.lab import Lab
from promptops.markup import plain
from tests.testing.test_pull_request import TOKEN, Host

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / ".github" / "action" / "action.yml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
[PRINTED] = yaml.safe_load(README.partition("```yaml\n")[2].partition("```")[0])
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
SHIM = """#!{python} -SE
import json, os, sys, urllib.request
body = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
out, err, code = json.load(urllib.request.urlopen("{address}", body, timeout=200))
sys.stdout.write(out); sys.stderr.write(err); sys.exit(code)
"""
STUDY = """
format = 2
prompt = "triage"
candidate = "v2"
baseline = "env:prod"
dataset = "../rows.jsonl"
scorers = ["equals"]
[policy]
goal = "better"
"""
ONE_OF = """Classify the ticket. Answer with one label and nothing else: one of refund, bug.

Labels:
- refund: money, charged
- bug: crash, error

Ticket: {{ticket}}"""


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@localhost")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with its origin: v1 serves on main, the branch brings v2 and a study file."""
    place = tmp_path_factory.mktemp("action")
    work = place / "work"
    work.mkdir()
    lab = Lab(work)
    triage = lab.prompt("triage")
    triage.save("Say something about: {{ticket}}", model="embedded", note="as it was")
    lab.project.registry.promote("triage", 1, "prod", author="ann", force=True, reason="first")
    words = {"refund": "I was charged twice, money back", "bug": "crash with an error"}
    rows = [
        {"id": f"r{n}", "ticket": f"{words[label]} ({n})", "expected": label}
        for n, label in enumerate(["refund", "bug"] * 20)
    ]
    rows[3]["expected"] = "refund"  # both are wrong on it
    (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (work / ".gitignore").write_text(".promptops\npromptops.md\npromptops.xml\npromptops-*.md\n")
    (work / "studies").mkdir()
    (work / "studies" / "triage.toml").write_text(STUDY)
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-qm", "v1 serves")
    git(place, "clone", "-q", "--bare", str(work), str(place / "origin.git"))
    git(work, "remote", "add", "origin", str(place / "origin.git"))
    git(work, "checkout", "-q", "-b", "better")
    triage.save(ONE_OF, model="embedded", note="labels,\n::warning::not a command")
    lab.store.close()
    git(work, "commit", "-qam", "v2")
    return work


class Runner:
    """Runs the action's steps as a runner does, in a copy of the repository."""

    def __init__(self, server: HTTPServer, commands: HTTPServer, made: Path, place: Path) -> None:
        self.place, self.work, self.asked = place, place / "work", list[list[str]]()
        shutil.copytree(made, self.work)
        self.host = Host(server)
        commands.expect_request("/promptops").respond_with_handler(self._command)
        (place / "bin").mkdir()
        shim = place / "bin" / "promptops"
        shim.write_text(SHIM.format(python=sys.executable, address=commands.url_for("/promptops")))
        shim.chmod(0o755)

    def _command(self, request: Request) -> Response:
        words, folder, env = json.loads(request.data)
        self.asked.append(words)
        with chdir(folder):
            done = CliRunner(env={**dict.fromkeys(os.environ), **env}).invoke(group(), words)
        err = done.stderr
        if isinstance(done.exception, PromptOpsError):
            err += f"error: {done.exception}\n"
        code = 2 if isinstance(done.exception, PromptOpsError) else done.exit_code
        return Response(json.dumps([done.stdout, err, code]))

    def push(self, *, fork: bool = False) -> tuple[int, str]:
        """One run of the action on the pull request: (exit code, all that was printed)."""
        (self.place / "output").write_text("")
        (self.place / "summary").write_text("")
        context: dict[str, Any] = {
            "github.event_name": "pull_request",
            "github.base_ref": "main",
            "github.head_ref": "better",
            "github.repository": "o/r",
            "github.token": TOKEN,
            "github.event.pull_request.number": 7,
            "github.event.pull_request.head.repo.full_name": "eve/r" if fork else "o/r",
        }
        context |= {f"inputs.{name}": i.get("default") for name, i in ACTION["inputs"].items()}
        context |= {f"inputs.{name}": value for name, value in PRINTED["with"].items()}
        printed, code, installed = "", 0, 0
        for step in ACTION["runs"]["steps"]:
            if "run" not in step or not self._wanted(step, context):
                continue
            env = {name: self._filled(text, context) for name, text in step.get("env", {}).items()}
            if "pip install" in step["run"]:
                installed += env["EXTRA"] == "run"
                continue
            code, out = self._bash(step["run"], env)
            printed += out
            if code:
                break
            for line in (self.place / "output").read_text().splitlines():
                name, _, value = line.partition("=")
                context.setdefault(f"steps.{step.get('id')}.outputs.{name}", value)
            (self.place / "output").write_text("")
        assert installed == 1
        return code, printed

    def _bash(self, text: str, env: Mapping[str, str]) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text],
            cwd=self.work,
            env={
                "PATH": f"{self.place / 'bin'}:{os.environ['PATH']}",
                "HOME": str(self.place),
                "GITHUB_OUTPUT": str(self.place / "output"),
                "GITHUB_STEP_SUMMARY": str(self.place / "summary"),
                "GITHUB_WORKSPACE": str(self.work),
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_API_URL": self.host.api,
                **env,
            },
            capture_output=True,
            text=True,
            timeout=200,
        )
        return done.returncode, done.stdout + done.stderr

    def _wanted(self, step: Mapping[str, Any], context: Mapping[str, Any]) -> bool:
        return bool(self._value(step.get("if", "true"), context))

    def _filled(self, text: str, context: Mapping[str, Any]) -> str:
        def one(found: re.Match[str]) -> str:
            value = self._value(found[1], context)
            return str(value).lower() if isinstance(value, bool) else str(value or "")

        return re.sub(r"\$\{\{(.*?)\}\}", one, text)

    def _value(self, expression: str, context: Mapping[str, Any]) -> Any:
        """An expression of the runner: names, texts, ==, !=, && and ||, and hashFiles."""
        python = expression.replace("&&", " and ").replace("||", " or ").replace("true", "True")
        python = re.sub(r"\b(?:github|inputs|steps)\.[\w.-]+", lambda m: f"get({m[0]!r})", python)
        names = {"get": context.get, "hashFiles": lambda name: (self.work / name).is_file()}
        return eval(python.strip(), {"__builtins__": {}}, names)


@pytest.fixture
def runner(httpserver: HTTPServer, made: Path, tmp_path: Path) -> Iterator[Runner]:
    (tmp_path / "run").mkdir()
    with HTTPServer() as commands:  # a command asks the host while it is answered itself
        yield Runner(httpserver, commands, made, tmp_path / "run")


def test_one_comment_that_the_next_push_edits(runner: Runner) -> None:
    """Verdict, table, losses, cost, gate and the registry's diff in it; a second push asks nothing
    again and edits it; remarks stand at the registry's lines.
    """
    code, printed = runner.push()
    assert code == 0, printed
    [comment] = runner.host.comments
    body = comment["body"]
    for part in ("**▲ promote** v2 over v1", "| metric |", "**Gate of prod**: v2 ", "Cost: "):
        assert part in body
    assert "No example got worse." in body
    assert "## The registry\n\n### triage\n" in body
    assert "- **v2** by" in body
    lines = (runner.work / "promptops.json").read_text().splitlines()
    remarks = [line for line in printed.splitlines() if line.startswith("::")]
    assert len(remarks) == 1
    found = re.fullmatch(
        r"::notice file=promptops\.json,line=(\d+),title=promptops::triage v2 is new.*", remarks[0]
    )
    assert found
    assert '"number": 2' in lines[int(found[1])]
    assert (runner.place / "summary").read_text() in body + "\n"
    git(runner.work, "commit", "-q", "--allow-empty", "-m", "again")
    (runner.work / "studies" / "triage.toml").write_text(
        STUDY.replace('"better"', '"not_worse"\nmargin = 0.1')
    )
    code, printed = runner.push()
    assert code == 0, printed
    assert len(runner.host.comments) == 1
    assert runner.host.comments[0]["body"] != body
    lab = Lab(runner.work)
    assert lab.store.rows("select count(*), count(distinct key) from runs") == [(80, 80)]
    lab.store.close()
    assert [method for method, _ in runner.host.asked] == ["GET", "POST", "GET", "PATCH"]
    assert TOKEN not in printed


def test_from_a_fork_nothing_is_asked_and_nothing_is_sent(runner: Runner) -> None:
    """The job passes with a remark that says why nothing was decided."""
    shutil.rmtree(runner.work / ".promptops", ignore_errors=True)
    code, printed = runner.push(fork=True)
    assert code == 0, printed
    assert "80 answers are not recorded" in printed
    assert "::notice title=promptops::Answers are not recorded" in printed
    assert "no comment: GITHUB_TOKEN is empty" in printed
    assert runner.host.asked == []
    assert runner.asked[3][:4] == ["evaluate", "studies/", "--offline", "--junit"]
    lab = Lab(runner.work)
    assert lab.store.rows("select count(*) from runs") == [(0,)]
    lab.store.close()


def test_a_registry_edited_by_hand_fails_with_a_remark_at_its_line(runner: Runner) -> None:
    """The job fails with the worst code: the study cannot load the edited version either."""
    path = runner.work / "promptops.json"
    text = path.read_text()
    path.write_text(text.replace("one of refund, bug", "one of bug, refund"))
    code, printed = runner.push(fork=True)
    assert code == 2
    remark = next(line for line in printed.splitlines() if line.startswith("::error "))
    place = re.match(r"::error file=promptops\.json,line=(\d+),title=promptops::", remark)
    assert place
    assert '"number": 2' in path.read_text().splitlines()[int(place[1])]


def test_hooks_name_commands_that_exist(tmp_path: Path) -> None:
    """Each entry of .pre-commit-hooks.yaml, tried on a file: sound, then not."""
    entries = {hook["id"]: hook["entry"].split()[1:] for hook in HOOKS}
    assert entries == {
        "promptops-registry-check": ["registry", "check"],
        "promptops-scan": ["scan", "--check"],
    }
    file = tmp_path / "app.py"
    file.write_text("x = 1\n")
    with chdir(tmp_path):
        asked = CliRunner().invoke(group(), [*entries["promptops-scan"], "app.py"])
        assert asked.exit_code == 0
        file.write_text(
            "from openai import OpenAI\n\n\ndef triage(ticket):\n"
            "    return OpenAI().chat.completions.create(model='mini', messages=[{'role': 'user',"
            " 'content': f'Name the category of this ticket: {ticket}'}])\n"
        )
        asked = CliRunner().invoke(group(), [*entries["promptops-scan"], "app.py"])
        assert asked.exit_code == 1
        assert "app.py:" in plain(asked.output)
