"""A shell completes what the registry holds; completing never fails and imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class

from promptops.cli.__main__ import COMMANDS, SUMMARIES, group
from promptops.cli.completion_command import LINES
from promptops.cli.extras import PACKAGES

from .conftest import Run


@pytest.fixture
def completed(run: Run, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """What click's protocol answers to bash: (kind, value) pairs of the last word."""

    def complete(*words: str) -> list[tuple[str, str]]:
        monkeypatch.setenv("_PROMPTOPS_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["promptops", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        code, out, err = run()
        assert (code, err) == (0, "")
        return [tuple(line.split(",", 1)) for line in out.split()]  # type: ignore[misc]

    return complete


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["show", "''"], ["plain", "support-triage"]),
        (["show", "sup"], ["support-triage"]),
        (["show", "support-triage", "''"], ["v4", "v3", "v2", "v1"]),
        (["diff", "support-triage", "v1", "v"], ["v4", "v3", "v2", "v1"]),
        (["history", "pl"], ["plain"]),
        (["promote", "support-triage", "v2", "--env", "''"], ["dev", "prod"]),
        (["rollback", "support-triage", "--env", "prod", "--to", "v1"], ["v1"]),
        (["canary", "widen", "sup"], ["support-triage"]),
        (["require", "--env", "p"], ["prod"]),
        (["status", "--env", "''"], ["dev", "prod"]),
        (["verify", "sup"], ["support-triage"]),
        (["watch", "accept", "pl"], ["plain"]),
        (["show", "unknown", "''"], []),
        (["roll"], ["rollback"]),
    ],
)
def test_names_are_completed(completed, words: list[str], expected: list[str]) -> None:  # type: ignore[no-untyped-def]
    """Prompts, versions (newest first), environments (the prompt's own first) and commands."""
    assert completed(*words) == [("plain", value) for value in expected]


def test_studies_come_from_the_evidence(completed, path: Path) -> None:  # type: ignore[no-untyped-def]
    """Newest first, each once; a file that is not evidence is passed over."""
    folder = path.parent / "promptops.evidence"
    folder.mkdir()
    for number, (study, day) in enumerate((("s1-old", 1), ("s1-new", 3), ("s1-old", 2))):
        document = {
            "study": study,
            "made_at": f"2026-01-0{day}T00:00:00",
            "labels": {"baseline": "v1", "candidate": "v2"},
            "prompt": "support-triage",
        }
        (folder / f"{number}.json").write_text(json.dumps(document))
    (folder / "torn.json").write_text("{")
    (folder / "other.json").write_text("[1]")
    assert [value for _, value in completed("report", "''")] == ["s1-new", "s1-old"]
    words = ("promote", "support-triage", "v1", "--study", "s1-o")
    assert [value for _, value in completed(*words)] == ["s1-old"]


@pytest.mark.parametrize(
    "study",
    [
        "s1$(touch x)",
        "s1`touch x`",
        "s1;touch",
        "s1|sh",
        "s1&sh",
        "s1>x",
        "s1\nplain,s2",
        "-s1",
        "s1 'a",
        's1"a',
        "s1\\a",
        "s1*",
        "~s1",
        "s1\x1b[2J",
        "$HOME",
    ],
)
def test_a_study_s_name_is_never_a_command(completed, path: Path, study: str) -> None:  # type: ignore[no-untyped-def]
    """bash puts what is completed on the line as it is, and Enter would run it; evidence may come
    from anybody.
    """
    folder = path.parent / "promptops.evidence"
    folder.mkdir()
    for number, name in enumerate((study, "s1-safe")):
        document = {
            "study": name,
            "made_at": "2026-01-01T00:00:00",
            "labels": {"baseline": "v1", "candidate": "v2"},
            "prompt": "support-triage",
        }
        (folder / f"{number}.json").write_text(json.dumps(document))
    assert completed("report", "''") == [("plain", "s1-safe")]


def test_a_broken_or_missing_registry_completes_nothing(completed, path: Path) -> None:  # type: ignore[no-untyped-def]
    """No message between a person's words."""
    path.write_text("<<<<<<< ours")
    assert completed("show", "''") == []
    path.unlink()
    assert completed("show", "''") == []


def test_a_hostile_note_stays_one_line(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """zsh reads three lines per item: a note with line ends must not become an item."""
    document = json.loads(path.read_text())
    entry = document["prompts"]["support-triage"]["versions"][3]
    entry["note"] = "one\nplain\nrm -rf\x1b[2J" + "x" * 500
    path.write_text(json.dumps(document))
    monkeypatch.setenv("_PROMPTOPS_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", "promptops show support-triage v4")
    monkeypatch.setenv("COMP_CWORD", "3")
    code, out, _ = run()
    kind, value, text = out.splitlines()
    assert (code, kind, value) == (0, "plain", "v4")
    assert text.startswith("one plain rm -rf[2Jxxx")
    assert len(text) == 60


@pytest.mark.parametrize("shell", LINES)
def test_the_line_is_what_click_answers_to(run: Run, shell: str) -> None:
    """Each line asks for the source of a shell that click knows; only the line is on stdout."""
    code, out, err = run("completion", shell)
    assert (code, out) == (0, f"{LINES[shell][0]}\n")
    assert LINES[shell][1] in err
    assert f"_PROMPTOPS_COMPLETE={shell}_source promptops" in out
    found = get_completion_class(shell)
    assert found is not None
    assert "promptops" in found(group(), {}, "promptops", "_PROMPTOPS_COMPLETE").source()


def test_completing_imports_nothing_heavy(path: Path) -> None:
    """Neither the packages of an extra beyond click, nor the other commands."""
    code = (
        "import os, sys; os.environ.update(_PROMPTOPS_COMPLETE='bash_complete',"
        " COMP_WORDS='promptops show support-triage ', COMP_CWORD='3')\n"
        "from promptops.cli.__main__ import main\n"
        "try: main([])\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=path.parent, capture_output=True, text=True, check=True
    )
    *items, modules = done.stdout.splitlines()
    assert items == ["plain,v4", "plain,v3", "plain,v2", "plain,v1"]
    heavy = {name for names in PACKAGES.values() for name in names} - {"click"}
    assert not heavy & set(modules.split())


def test_every_command_is_completed_with_its_line() -> None:
    """The list of commands comes from the table, without importing a command."""
    command = group()
    items = command.shell_complete(
        command.make_context("promptops", [], resilient_parsing=True), ""
    )
    assert {item.value: item.help for item in items if item.value in COMMANDS} == SUMMARIES
