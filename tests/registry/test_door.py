"""Law: on a base install, with no extra at all, production can be rolled back, checked, merged,
exported and synced.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import promptops
from promptops import PromptVersion
from promptops.registry import needs
from promptops.registry.__main__ import main
from promptops.registry.editor import Editor

NAME = "support-triage"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    registry = tmp_path / "promptops.json"
    editor = Editor(registry)
    for text in ("one {{x}}", "two {{x}}", "three {{x}}"):
        editor.save(NAME, PromptVersion(text))
    for number in (1, 2, 3):
        editor.promote(NAME, number, "prod", author="ann", force=True, reason="x")
    return registry


def test_a_rollback_that_breaks_a_consumer_says_so(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After what it did, and with the exit code of what was done."""
    folder = path.parent / needs.FOLDER
    needs.write(str(folder / "checkout.json"), "checkout", [needs.Need(NAME, {"y": None})])
    assert main(["rollback", NAME, "--env", "prod", "--registry", str(path)]) == 0
    done, warning = capsys.readouterr().out.splitlines()
    assert done == f"prod of {NAME} serves v2 now."
    assert warning.startswith("warning: it breaks a registered consumer: it needs {{x}}")


def test_rollback_without_extras(path: Path) -> None:
    """`python -m promptops.registry rollback NAME --env prod`, from the project's folder, with site
    packages switched off.
    """
    source = str(Path(promptops.__file__).parents[1])
    env = {"PYTHONPATH": source, "PATH": os.environ["PATH"], "PROMPTOPS_USER": "eve"}
    command = [
        sys.executable,
        "-S",
        "-m",
        "promptops.registry",
        "rollback",
        NAME,
        "--env",
        "prod",
        "--reason",
        "incident 7",
    ]
    done = subprocess.run(
        command, cwd=path.parent, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"prod of {NAME} serves v2 now.\n",
        "",
    )
    last = Editor(path).history(NAME, "prod")[-1]
    assert (last.number, last.kind, last.author, last.reason) == (
        2,
        "rollback",
        "eve",
        "incident 7",
    )


def test_exit_codes(path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """0 done or nothing to do, 1 refused with one sentence, 2 misuse."""
    where = ["--registry", str(path)]
    assert main(["rollback", NAME, "--env", "prod", "--to", "v1", "--author", "a", *where]) == 0
    assert "serves v1 now" in capsys.readouterr().out
    assert main(["rollback", NAME, "--env", "prod", "--if-serving", "3", *where]) == 0
    assert "nothing to do: 3 does not serve" in capsys.readouterr().out
    assert main(["rollback", NAME, "--env", "prod", "--to", "1", *where]) == 0
    assert "serves v1 already" in capsys.readouterr().out
    for bad in (
        ["nope", "--env", "prod"],
        [NAME, "--env", "staging"],
        [NAME, "--env", "prod", "--to", "9"],
    ):
        assert main(["rollback", *bad, *where]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
    with pytest.raises(SystemExit) as caught:
        main(["rollback", NAME])
    assert caught.value.code == 2
    assert main(["check", "--registry", str(tmp_path / "absent.json")]) == 1


def test_check_names_every_fault(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sound file is counted; a file with two faults names both and fails."""
    assert main(["check", "--registry", str(path)]) == 0
    assert "1 prompt, 3 versions, no faults" in capsys.readouterr().out
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["prompts"][NAME]["versions"][0]["model"] = "x"
    raw["prompts"][NAME]["environments"]["prod"]["deployments"][1]["author"] = "mallory"
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert main(["check", "--registry", str(path)]) == 1
    said = capsys.readouterr()
    assert "v1 was edited" in said.err
    assert "deployment 2 of support-triage in prod was edited" in said.err
    assert "2 faults" in said.out


def test_sync_and_export(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recipe of a deployment: export what prod serves, sync it to the machine."""
    small, machine = tmp_path / "prod.json", tmp_path / "machine" / "promptops.json"
    assert (
        main(["export", str(small), "--env", "prod", "--last", "1", "--registry", str(path)]) == 0
    )
    assert main(["sync", str(small), str(machine)]) == 0
    assert promptops.load(NAME, env="prod", registry=machine).number == 3
    assert main(["sync", str(small), str(machine)]) == 0
    assert "the same bytes were there" in capsys.readouterr().out


@pytest.mark.parametrize("stream", ["full", "gone", "closed", "ascii"])
def test_the_exit_code_says_what_became_of_the_registry(path: Path, stream: str) -> None:
    """Not what became of the line about it; a path may be of letters that the stream has not."""
    folder = path.parent / "größe"
    folder.mkdir()
    moved = path.rename(folder / path.name)
    command = [sys.executable, "-m", "promptops.registry"]
    words = [
        ["rollback", NAME, "--env", "prod", "--author", "e"],
        ["check"],
        ["check", "--registry"],
    ]
    words[-1].append(str(folder / "nothing.json"))
    env = {**os.environ, "PYTHONPATH": str(Path(promptops.__file__).parents[1])}
    env |= {"PYTHONIOENCODING": "ascii", "PROMPTOPS_REGISTRY": str(moved)}
    for each, code in zip(words, (0, 0, 1), strict=True):
        reading, writing = os.pipe()
        os.close(reading)
        with open("/dev/full", "wb") as full, open(os.devnull, "wb") as null:
            ended = subprocess.run(
                ["sh", "-c", 'exec "$@" >&-', "sh", *command, *each]
                if stream == "closed"
                else [*command, *each],
                env=env,
                stdout={"full": full, "gone": writing, "ascii": subprocess.PIPE}.get(stream, null),
                stderr=subprocess.PIPE,
                check=False,
            )
        os.close(writing)
        assert ended.returncode == code, ended.stderr
        assert b"Traceback" not in ended.stderr
        assert b"Exception ignored" not in ended.stderr
        if stream == "full" and code == 0:
            assert ended.stderr == b"standard output cannot be written (No space left on device).\n"
    assert Editor(moved).history(NAME, "prod")[-1].author == "e"
