"""`promptops optimize`: exit codes, the dry run, and a winner that is printed or saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptops.cli.optimize_command import optimize
from promptops.errors import StudyError
from promptops.lab import Lab

FILE = """
prompt = "triage"
baseline = "v1"
dataset = "rows.jsonl"
scorers = ["equals()"]
[optimize]
method = "{method}"
budget_calls = 150
"""
WORDS = {
    "billing": "invoice refund charged",
    "bug": "crash error broken",
    "account": "login password",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    lab = Lab(tmp_path)
    text = "Answer with one label: one of billing, bug, account.\n\nTicket: {{ticket}}"
    lab.prompt("triage").save(text, model="embedded", temperature=0)
    lab.project.close()
    rows = [
        {"id": str(n), "ticket": f"{words} case {n}", "expected": label}
        for n, (label, words) in enumerate(list(WORDS.items()) * 30)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "study.toml").write_text(FILE.format(method="instructions"))
    return tmp_path


def run(project: Path, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(optimize, [str(project / "study.toml"), *words])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def test_a_dry_run_asks_nothing(project: Path) -> None:
    """It says what there is to ask, and the budget."""
    code, said = run(project, "--dry-run")
    assert code == 0
    assert "budget_calls = 150" in said
    assert Lab(project).store.stats()["rows"]["runs"] == 0


def test_a_winner_is_confirmed_and_saved(project: Path) -> None:
    """Exit 0 with the new version's label; the same command again says the same."""
    code, said = run(project, "--save")
    assert "On test:" in said
    assert code == 0
    assert "saved as v2" in said
    assert run(project, "--save") == (code, said)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[optimize]", "[optimise]"), "optimise"),
        (('method = "instructions"', 'method = "magic"'), "magic"),
        (("budget_calls = 150", "budget_calls = 150\nluck = 3"), "luck"),
        (('baseline = "v1"', ""), "baseline"),
    ],
)
def test_misuse_is_named(project: Path, change: tuple[str, str], message: str) -> None:
    """The key at fault."""
    file = project / "study.toml"
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(StudyError, match=message):
        run(project)
