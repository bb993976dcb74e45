"""The manual is true: its links lead somewhere, its Python runs, its derived pages are current, its
messages are those that the code gives.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from promptops.cli.__main__ import COMMANDS, group

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "promptops" / "guide"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(GUIDE.glob("*.md"))}
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_first_page_is_short() -> None:
    """At most 900 words, as they are counted by wc."""
    assert len(README.split()) <= 900


@pytest.mark.parametrize("name", [*PAGES, "README.md"])
def test_links_lead_somewhere(name: str) -> None:
    """Files and images that a page names exist."""
    text = README if name == "README.md" else PAGES[name]
    folder = ROOT if name == "README.md" else GUIDE
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    missing = [
        link for link in links if "://" not in link and not (folder / link).resolve().exists()
    ]
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_begins_with_its_title_and_is_reached(name: str) -> None:
    """One title; the README or another page links to it."""
    assert PAGES[name].startswith("# ")
    elsewhere = README + "".join(text for other, text in PAGES.items() if other != name)
    assert f"({name})" in elsewhere or f"/{name})" in elsewhere


@pytest.mark.parametrize("name", [*PAGES, "README.md"])
def test_python_is_python_and_commands_exist(name: str) -> None:
    """Every block parses; every `promptops WORD` is a command."""
    text = README if name == "README.md" else PAGES[name]
    for block in blocks(text):
        ast.parse(block)
    shown = [*blocks(text, "sh"), *re.findall(r"`(promptops [^`]+)`", text)]
    words = {word for each in shown for word in re.findall(r"\bpromptops ([a-z]+)\b", each)}
    assert words - set(COMMANDS) == set()


def test_the_quickstart_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block after block in an empty project, on the embedded model in the place of one that needs a
    key.
    """
    shutil.copytree(ROOT / "data", tmp_path / "data")
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the embedded model is no LLM, as it says
        for block in blocks(PAGES["quickstart.md"]):
            if "triage.save" in block or "v1.but" in block or "lab.evaluate" in block:
                exec(block.replace('"gpt-4o-mini"', '"embedded"'), names)
    assert len(names["study"].record.arms) == 2
    comparison = names["study"].compare(candidate=names["v2"], baseline=names["v1"])
    assert "v2" in str(comparison)
    assert comparison.primary.candidate > comparison.primary.baseline  # the golden column fits


def test_derived_pages_are_current() -> None:
    """`python tests/guide/generate.py` writes them."""
    spec = importlib.util.spec_from_file_location("generate", Path(__file__).parent / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    stale = [name for name, text in generate.pages().items() if PAGES.get(name) != text]
    assert stale == [], "run python tests/guide/generate.py"
    assert (GUIDE / "llms.txt").read_text(encoding="utf-8") == generate.llms()


def test_messages_in_the_troubleshooting_page_are_those_of_the_code() -> None:
    """Each piece between the dots of a quoted message stands in the source."""
    source = " ".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "promptops").rglob("*.py"))
    )
    table = re.findall(r"^\| `([^`]+)` \|", PAGES["troubleshooting.md"], re.MULTILINE)
    assert len(table) >= 8
    unknown = [
        piece.strip()
        for message in table
        for piece in re.split(r"\.\.\.|prod", message)
        if piece.strip(" :") and piece.strip() not in source
    ]
    assert unknown == []


def test_help_lists_shows_and_searches() -> None:
    """Offline; a page by the beginning of its name; a wrong one names near ones."""
    runner = CliRunner()
    listed = runner.invoke(group(), ["help"])
    assert listed.exit_code == 0
    assert all(name.removesuffix(".md") in listed.output for name in PAGES)
    assert runner.invoke(group(), ["help", "quick"]).output.startswith("# Quickstart")
    made = runner.invoke(group(), ["help", "command-line"]).output
    assert made.strip() == PAGES["command-line.md"].strip()
    found = runner.invoke(group(), ["help", "--search", "false alarm"]).output
    assert "observing:" in found
    wrong = runner.invoke(group(), ["help", "canery"])
    assert wrong.exit_code == 2
    assert "canary" in wrong.output


def test_the_manual_ships_in_the_package() -> None:
    """`promptops help` reads it from there, also without a checkout beside it."""
    shown = subprocess.run(
        [sys.executable, "-c", "from importlib.resources import files;"
         "print((files('promptops')/'guide'/'quickstart.md').is_file())"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )  # fmt: skip
    assert shown.stdout.strip() == "True"


def test_the_proxys_snippet_is_taken_by_nginx(tmp_path: Path) -> None:
    """Host and the websocket are forwarded, and nginx reads it where there is one."""
    [snippet] = blocks(PAGES["security.md"], "nginx")
    for needed in ("Host $http_host;", "Upgrade $http_upgrade;", 'Connection "upgrade";'):
        assert f"proxy_set_header {needed}" in snippet
    if (nginx := shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")) is None:
        return
    paths = "".join(
        f"{name}_temp_path {tmp_path};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = tmp_path / "nginx.conf"
    file.write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}}\n"
        f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:8080; {snippet} }} }}\n"
    )
    done = subprocess.run([nginx, "-t", "-c", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
