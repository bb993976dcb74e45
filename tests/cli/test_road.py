"""The command line's first steps: the demo, the tour's copy, setting up a repository, and
misuse.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click import ClickException

import promptops
from promptops.cli.tour import tour_files


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PROMPTOPS_USER": "a tester", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "promptops.cli", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
    )


def test_the_demo_tells_the_whole_story(tmp_path: Path) -> None:
    """Registry, evidence, store and report are written; an application without extras loads the
    winner; the store is sound.
    """
    done = run("demo", "story", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    story = tmp_path / "story"
    assert {"promptops.json", "promptops.evidence", ".promptops", "report.html"} <= {
        path.name for path in story.iterdir()
    }
    for said in (
        "not an LLM",
        "is right on",
        "Refused: It is worse",
        "v2 from file, 2 messages, extras loaded: none",
        "v1 from file, 1 message,",
        "Next: open",
    ):
        assert said in done.stdout, said
    assert (
        promptops.load("support-triage", env="prod", registry=str(story / "promptops.json")).number
        == 2
    )
    assert (story / ".promptops" / ".gitignore").read_text(encoding="utf-8").splitlines()[-1] == "*"
    assert run("doctor", cwd=story).returncode == 0
    listed = json.loads(run("studies", "--json", cwd=story).stdout)
    assert [(study["arms"], study["runs"], study["status"]) for study in listed] == [
        (2, 742, "finished")
    ]
    markdown = run("report", listed[0]["name"], "--markdown", cwd=story)
    assert markdown.stdout.startswith("**▲ promote**")


def test_the_tour_is_copied_once(tmp_path: Path) -> None:
    """Notebooks and data land in the folder; a file that somebody changed there stays as it is."""
    assert "01_quickstart" in run("lab", "tour", "--no-open", cwd=tmp_path).stdout
    changed = tmp_path / "tour" / "notebooks" / "01_quickstart.ipynb"
    assert (tmp_path / "tour" / "data" / "support_tickets.jsonl").exists()
    changed.write_text("mine", encoding="utf-8")
    run("lab", "tour", "--no-open", cwd=tmp_path)
    assert changed.read_text(encoding="utf-8") == "mine"


def test_the_tour_of_an_installed_package_is_an_archive(tmp_path: Path) -> None:
    """Its files are those of the archive; a package without either says so."""
    (tmp_path / "promptops").mkdir()
    with pytest.raises(ClickException, match="install promptops-toolkit again"):
        tour_files(tmp_path / "promptops")
    with zipfile.ZipFile(tmp_path / "promptops" / "tour.zip", "w") as archive:
        archive.writestr("data/a.jsonl", "{}\n", zipfile.ZIP_DEFLATED)
    assert tour_files(tmp_path / "promptops") == {"data/a.jsonl": b"{}\n"}


def test_init_writes_what_is_missing_and_nothing_else(tmp_path: Path) -> None:
    """A dry run writes nothing; the second run keeps everything; the starter notebook is a
    notebook.
    """
    (tmp_path / ".gitignore").write_text("*.pyc", encoding="utf-8")
    assert "would write" in run("init", "--dry-run", cwd=tmp_path).stdout
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]
    assert run("init", cwd=tmp_path).returncode == 0
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*.pyc\n.promptops/\n"
    cells = json.loads((tmp_path / "prompts.ipynb").read_text(encoding="utf-8"))["cells"]
    assert "Lab()" in "".join(cells[1]["source"])
    assert (tmp_path / ".github" / "workflows" / "prompts.yml").exists()
    assert "wrote" not in run("init", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("report", "no-such-study"),
        ("scorers", "no_such_scorer"),
        ("demo", "--no-such-option"),
    ],
)
def test_misuse_is_one_sentence_and_exit_code_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    """No traceback, and what to do."""
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_every_command_is_there_and_explains_itself(tmp_path: Path) -> None:
    """`--help` of each lists what it takes; the group's help names them all."""
    from promptops.cli.__main__ import COMMANDS

    said = run("--help", cwd=tmp_path).stdout
    for name in COMMANDS:
        assert name in said


def test_the_public_help_is_in_process() -> None:
    """Each command loads and has a help line."""
    from click.testing import CliRunner

    from promptops.cli.__main__ import COMMANDS, group

    for name in COMMANDS:
        result = CliRunner().invoke(group(), [name, "--help"])
        assert result.exit_code == 0, (name, result.output)
        assert "Usage" in result.output


@pytest.mark.parametrize(
    "words", [["studies"], ["doctor"], ["init"], ["scan", "."], ["watch", "run"], ["list"]]
)
def test_a_working_directory_that_is_gone_is_one_sentence(words: list[str], tmp_path: Path) -> None:
    """A shell stays in a folder that another one removed."""
    gone = tmp_path / "gone"
    gone.mkdir()
    call = (
        f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r});"
        f" from promptops.cli.__main__ import main; main({words!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", call], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the working directory no longer exists;")
    assert len(done.stderr.splitlines()) == 1
