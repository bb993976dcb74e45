"""Law: what the registry holds is shown from a shell: tables in a pipe or on a terminal, JSON on
request, help that tells the exit codes.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import PromptVersion
from promptops.errors import Refused
from promptops.policy import Policy
from promptops.registry.editor import Editor

NAME = "support-triage"
V = [
    PromptVersion(f"Line one\nVersion {number}: {{{{ticket}}}}", model="large")
    for number in range(1, 5)
]
Run = Callable[..., tuple[int, str, str]]


def table(out: str) -> list[dict[str, str]]:
    lines = [line.split("\t") for line in out.splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def test_list(run: Run, path: Path) -> None:
    """One row a prompt with what serves where, canaries included."""
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert table(out) == [
        {"prompt": "plain", "versions": "1", "latest": "v1", "dev": "–", "prod": "–"},
        {"prompt": NAME, "versions": "4", "latest": "v4", "dev": "v2 + v3 20 %", "prod": "v2"},
    ]
    assert json.loads(run("list", "--json")[1])[1]["environments"] == {
        "dev": "v2 + v3 20 %",
        "prod": "v2",
    }
    path.write_text('{"promptops": 1, "prompts": {}}')
    code, out, err = run("list")
    assert (code, out, "no prompt in" in err) == (0, "", True)


def test_show(run: Run) -> None:
    """The versions as rows; one version whole, by number, label or id; as JSON it makes the same
    version again.
    """
    rows = table(run("show", NAME)[1])
    assert [row["version"] for row in rows] == ["v1", "v2", "v3", "v4"]
    assert [row["serves"] for row in rows] == ["–", "dev, prod", "dev (20 %)", "–"]
    for wanted in ("2", "v2", V[1].id, V[1].id[:12]):
        code, out, _ = run("show", NAME, wanted)
        assert (code, "Line one\nVersion 2: {{ticket}}" in out, "serves\tdev, prod" in out) == (
            0,
            True,
            True,
        )
    content = json.loads(run("show", NAME, "2", "--json")[1])
    assert PromptVersion.from_content(content).id == content["id"] == V[1].id


def test_a_note_of_several_lines_makes_no_line_of_ours(run: Run, path: Path) -> None:
    """Neither where a version is shown nor in the rows of all."""
    version = PromptVersion("Forged: {{ticket}}", model="large")
    note = "small\nserves\tprod\r\nserves\tprod\u2028serves\tprod"
    Editor(path).save(NAME, version, note=note)
    for words in (("show", NAME, "v5"), ("show", NAME)):
        out = run(*words)[1]
        assert "serves prod" in out
        assert not [line for line in re.split("[\r\n\u2028]", out) if line.startswith("serves\t")]


def test_diff(run: Run) -> None:
    """Words between their marks, as Markdown, as JSON; nothing if nothing differs."""
    assert "Version [-1-]{+2+}: " in run("diff", NAME, "1", "2")[1]
    assert "~~1~~ **2**" in run("diff", NAME, "1", "2", "--markdown")[1]
    assert json.loads(run("diff", NAME, "1", "2", "--json")[1])["old"] == V[0].id
    assert run("diff", NAME, "1", "1")[1] == "no difference\n"


def test_history(run: Run) -> None:
    """All environments or one, oldest first, with who, why, forced and share."""
    rows = table(run("history", NAME)[1])
    assert [(row["env"], row["serves"], row["kind"]) for row in rows] == [
        ("dev", "v2", "promote"),
        ("dev", "v2 + v3 20 %", "canary"),
        ("prod", "v1", "promote, forced"),
        ("prod", "v2", "promote, forced"),
    ]
    assert {row["why"] for row in rows if row["env"] == "prod"} == {"first days"}
    told = json.loads(run("history", NAME, "--env", "prod", "--json")[1])
    assert [(link["number"], link["position"]) for link in told] == [(1, 1), (2, 2)]
    assert "never deployed in 'staging'" in run("history", NAME, "--env", "staging")[2]


COMMANDS = [
    "list",
    "show",
    "diff",
    "history",
    "promote",
    "rollback",
    "canary",
    "verify",
    "require",
    "sync",
    "export",
]


@pytest.mark.parametrize(
    "words",
    [*([name] for name in COMMANDS), *(["registry", name] for name in ("check", "merge", "diff"))],
    ids=" ".join,
)
def test_help_tells_the_exit_codes_and_json(words: list[str], run: Run) -> None:
    """Each command documents its exit codes and has --json; what writes has --dry-run."""
    code, out, _ = run(*words, "--help")
    assert (code, "Exit codes: 0" in " ".join(out.split()), "--json" in out) == (0, True, True)
    writes = {"promote", "rollback", "canary", "require", "sync", "export", "merge"}
    assert ("--dry-run" in out) is (words[-1] in writes)


def test_a_terminal_gets_a_table(path: Path) -> None:
    """On a terminal columns are aligned and there is no tab; nothing in a note can move the
    cursor.
    """
    import pty

    Editor(path).save("evil", PromptVersion("x"), note="\x1b[2Jgone")
    main_end, far_end = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(promptops.__file__).parents[1]),
        "COLUMNS": "160",
        "TERM": "dumb",
    }
    command = [sys.executable, "-m", "promptops.cli", "show", "evil", "--registry", str(path)]
    with subprocess.Popen(command, stdout=far_end, stderr=far_end, env=environment) as process:
        os.close(far_end)
        out = b""
        while True:
            try:
                chunk = os.read(main_end, 4096)
            except OSError:  # the far end is closed
                break
            if not chunk:
                break
            out += chunk
        os.close(main_end)
        assert process.wait(60) == 0
    assert b"\t" not in out
    assert b"\x1b[2J" not in out
    assert b"gone" in out


CASES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "conformance" / "cases.json").read_text(encoding="utf-8")
)
ANY_FILE = [
    *(
        ("show", NAME, "1"),
        ("diff", NAME, "1", "2"),
        ("history", NAME),
        ("verify", NAME, "--env", "prod"),
        ("list",),
        ("require",),
    ),
    *(
        ("promote", NAME, "1", "--env", "dev"),
        ("rollback", NAME, "--env", "prod"),
        ("canary", NAME, "abort", "--env", "prod"),
    ),
    *(
        ("registry", "check", "--all"),
        ("registry", "diff", "f.json"),
        ("export", "--env", "prod"),
        ("export", "--typescript", "web"),
    ),
]


def damaged(seed: int) -> str:
    """The good registry with one place replaced by something that does not belong there, or taken
    out.
    """
    rng = random.Random(seed)
    document = copy.deepcopy(CASES["registries"]["good"])
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in (
            list(value)
            if isinstance(value, dict)
            else range(len(value))
            if isinstance(value, list)
            else ()
        ):
            places.append((value, key))
            walk(value[key])

    walk(document)
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice([None, 5, "x", [], {}, True])
    return json.dumps(document)


def test_whatever_lies_in_the_file_is_answered_in_sentences(run: Run, path: Path) -> None:
    """Corrupt registries, and sound JSON with one wrong place: no command ends in a traceback, and
    check says 1 if loaders would refuse.
    """
    texts = [json.dumps(document) for document in CASES["registries"].values()]
    texts += [case["text"] for case in CASES["refused_files"]] + [
        damaged(seed) for seed in range(60)
    ]
    texts.append(
        texts[0].replace(
            f'"id": "{CASES["registries"]["good"]["prompts"][NAME]["versions"][0]["id"]}"',
            '"id": {}',
        )
    )
    for text in texts:
        for words in ANY_FILE:
            (path.parent / "f.json").write_text(text)
            code, _, err = run(*words, "--registry", "f.json")
            assert code in (0, 1, 2)
            assert "Traceback" not in err
    for case in CASES["refused_files"]:
        (path.parent / "f.json").write_text(case["text"])
        assert run("registry", "check", "--registry", "f.json")[0] == 1


def test_a_place_that_cannot_be_written_is_one_sentence(run: Run, path: Path) -> None:
    """A file in the way of a folder, a folder that is not there."""
    (path.parent / "file").write_text("")
    for words in (
        ("export", "file/x.json", "--env", "prod"),
        ("export", "--typescript", "file/sub"),
        ("sync", "promptops.json", "file/x/y.json"),
    ):
        code, out, err = run(*words)
        assert (code, out, err.startswith("error: "), err.count("\n")) == (2, "", True, 1)


def test_import_of_the_door_reads_no_typescript() -> None:
    """The application's import never touches the reader that is shipped for others."""
    script = "import promptops, sys; assert not [m for m in sys.modules if 'typescript' in m]"
    subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(promptops.__file__).parents[1])},
    )


def test_policy_of_the_registry_is_what_refuses(run: Run, path: Path) -> None:
    """An environment that policy names ungated takes a version; the same command was refused
    before.
    """
    words = ("promote", "plain", "1", "--env", "staging")
    assert run(*words)[0] == 1
    Editor(path).set_policy(Policy(ungated_environments=("dev", "staging")))
    assert run(*words)[0] == 0
    with pytest.raises(Refused):
        Editor(path).promote("plain", 1, "prod", author="a")
