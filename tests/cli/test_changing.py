"""Law: what serves is changed from a shell: 0 done, 1 refused by policy, 2 misuse in one line, and
rehearsals that write nothing.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops import PromptVersion
from promptops.registry import needs
from promptops.registry.editor import Editor
from promptops.registry.needs import Need

NAME = "support-triage"
V = [
    PromptVersion(f"Line one\nVersion {number}: {{{{ticket}}}}", model="large")
    for number in range(1, 5)
]
Run = Callable[..., tuple[int, str, str]]


def tree(folder: Path) -> str:
    """Names, bytes and times of change of everything under a folder, but Python's own caches."""
    found = [p for p in sorted(folder.rglob("*")) if "__pycache__" not in p.parts]
    return hashlib.sha256(
        repr(
            [(str(p), p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in found]
        ).encode()
    ).hexdigest()


def test_promote(run: Run, path: Path) -> None:
    """An ungated environment takes it; what serves already is nothing to do; the author is
    stamped.
    """
    code, out, _ = run("promote", "plain", "v1", "--env", "dev", "--reason", "try")
    assert (code, out) == (0, "dev of plain serves v1 now, by eve\n")
    code, out, _ = run("promote", "plain", "1", "--env", "dev")
    assert (code, out.startswith("nothing to do: dev of plain serves v1 already")) == (0, True)
    code, out, _ = run(
        "promote",
        NAME,
        "4",
        "--env",
        "prod",
        "--force",
        "--reason",
        "incident 7",
        "--author",
        "zoe",
        "--json",
    )
    told = json.loads(out)
    assert (code, told["changed"], told["forced"], told["author"], bool(told["unmet"])) == (
        0,
        True,
        True,
        "zoe",
        True,
    )
    assert Editor(path).history(NAME, "prod")[-1].reason == "incident 7"


def test_refusals_are_exit_code_1(run: Run) -> None:
    """The gate, a force without a reason, a second canary: every unmet point on standard error, and
    in the JSON.
    """
    code, out, err = run("promote", NAME, "3", "--env", "prod")
    assert (code, out, err.startswith("refused: ")) == (1, "", True)
    assert "There is no evidence for v3" in err
    code, out, _ = run("promote", NAME, "3", "--env", "prod", "--json")
    assert (code, json.loads(out)["changed"], len(json.loads(out)["refused"])) == (1, False, 1)
    assert run("promote", NAME, "3", "--env", "prod", "--force")[0] == 1
    assert run("promote", NAME, "4", "--env", "dev", "--percent", "5")[0] == 1
    assert (
        run("promote", NAME, "4", "--env", "prod", "--percent", "100", "--force", "--reason", "x")[
            0
        ]
        == 1
    )


MISUSE = [
    ("promote", "nope", "1", "--env", "dev"),
    ("promote", NAME, "9", "--env", "dev"),
    ("promote", NAME, "1", "--env", "No Such"),
    ("rollback", NAME, "--env", "staging"),
    ("rollback", NAME, "--env", "prod", "--to", "9"),
    ("canary", NAME, "finish", "--env", "prod"),
    ("show", "nope"),
    ("show", NAME, "9"),
    ("diff", NAME, "1", "9"),
    ("history", "nope"),
    ("verify", NAME, "--env", "staging"),
    ("registry", "diff", "no-such-revision"),
    ("require", "no.such.module:loader"),
    ("sync", "http://example.invalid/promptops.json", "copy.json"),
    ("sync", "absent.json", "copy.json"),
    ("export", "x.json", "--env", "staging"),
    ("list", "--registry", "absent.json"),
]


@pytest.mark.parametrize("words", MISUSE, ids=" ".join)
def test_misuse_is_exit_code_2_and_one_line(words: tuple[str, ...], run: Run, path: Path) -> None:
    """What cannot be done is said in one sentence, and nothing is written."""
    before = tree(path.parent)
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert (err.startswith("error: "), err.count("\n")) == (True, 1)
    assert tree(path.parent) == before or words[0] == "sync"


@pytest.mark.parametrize(
    "words",
    [
        ("promote", NAME),
        ("canary", NAME, "widen", "--env", "dev"),
        ("export",),
        ("require", "--write", "x"),
    ],
)
def test_wrong_arguments_are_exit_code_2(words: tuple[str, ...], run: Run) -> None:
    """As click says it, with the usage."""
    code, _, err = run(*words)
    assert (code, "Usage: promptops" in err) == (2, True)


def test_rollback(run: Run, path: Path) -> None:
    """At once, ungated, logged; to a named version; nothing if what is undone does not serve."""
    assert (
        run("rollback", NAME, "--env", "prod", "--reason", "incident")[1]
        == f"prod of {NAME} serves v1 now, by eve\n"
    )
    assert run("rollback", NAME, "--env", "prod", "--if-serving", "2")[1].startswith(
        "nothing to do: 2 does not serve prod"
    )
    assert (
        json.loads(run("rollback", NAME, "--env", "prod", "--to", "v2", "--json")[1])["number"] == 2
    )
    last = Editor(path).history(NAME, "prod")[-2]
    assert (last.kind, last.author, last.reason) == ("rollback", "eve", "incident")


def test_a_rollback_that_breaks_a_consumer_is_done_and_says_so(run: Run, path: Path) -> None:
    """It is an emergency door: it refuses nothing, rehearsed or not, and names who breaks."""
    folder = path.parent / "promptops.consumers"
    needs.write(str(folder / "checkout.json"), "checkout", [Need(NAME, {"nothing": None})])
    back = ("rollback", NAME, "--env", "prod", "--to", "v1")
    for words in ((*back, "--dry-run"), back):
        code, out, _ = run(*words)
        assert (code, "warning: it breaks a registered consumer" in out) == (0, True)
        assert "checkout does not supply" in out
    (folder / "checkout.json").write_text("[")
    found = json.loads(run("rollback", NAME, "--env", "prod", "--to", "v2", "--json")[1])
    assert found["number"] == 2
    assert "whether it breaks a registered consumer is not known" in found["warning"]
    (folder / "checkout.json").unlink()
    assert "warning" not in run(*back)[1]


def test_canary(run: Run) -> None:
    """Widened, finished; a new one aborted."""
    assert (
        "gives v3 to 50 %, the rest stays on v2 now"
        in run("canary", NAME, "--env", "dev", "widen", "50")[1]
    )
    assert (
        run("canary", NAME, "--env", "dev", "finish")[1] == f"dev of {NAME} serves v3 now, by eve\n"
    )
    assert "gives v4 to 5 %" in run("promote", NAME, "4", "--env", "dev", "--percent", "5")[1]
    assert (
        run("canary", NAME, "abort", "--env", "dev")[1] == f"dev of {NAME} serves v3 now, by eve\n"
    )


def test_dry_runs_write_nothing_and_check_the_same(run: Run, path: Path) -> None:
    """Every command that writes rehearses: nothing under the folder changes, refusals refuse, and
    what would be is said.
    """
    for name in ("base.json", "theirs.json"):
        (path.parent / name).write_bytes(path.read_bytes())
    Editor(path.parent / "theirs.json").promote("plain", 1, "dev", author="ann")
    (path.parent / "app_dry.py").write_text(
        f"import promptops\nloader = promptops.Loader({str(path)!r})\nloader.require('plain')\n"
    )
    commands = [
        ("registry", "merge", "base.json", "promptops.json", "theirs.json"),
        ("promote", "plain", "1", "--env", "dev"),
        ("promote", NAME, "3", "--env", "prod", "--force", "--reason", "x"),
        ("rollback", NAME, "--env", "prod"),
        ("canary", NAME, "--env", "dev", "widen", "60"),
        ("canary", NAME, "--env", "dev", "abort"),
        ("sync", "promptops.json", "copy.json"),
        ("export", "prod.json", "--env", "prod"),
        ("export", "--typescript", "."),
        ("require", "app_dry:loader", "--write", "promptops.consumers/app.json"),
    ]
    before = tree(path.parent)
    for words in commands:
        code, out, err = run(*words, "--dry-run")
        assert code == 0, err
        assert "would" in out + err or words[1] == "merge"
        assert tree(path.parent) == before, words
    assert run("promote", NAME, "3", "--env", "prod", "--dry-run")[0] == 1
    assert tree(path.parent) == before
    for words in commands:
        assert run(*words)[0] == 0
    assert tree(path.parent) != before


def test_promote_through_a_study(
    make_lab: Callable[..., Any], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The study's evidence carries the promotion as in a notebook, and a rehearsal says the same
    first; a worse version is refused.
    """
    from promptops.lab import Dataset
    from promptops.models.scripted import ScriptedModel
    from promptops.scorers import equals

    def by_number(request: dict[str, Any]) -> str:
        """Right for all: it reads the number."""
        return "yes" if int(request["messages"][-1]["content"].split()[-1]) % 4 else "no"

    models = {
        "no": ScriptedModel(lambda request: "no", label="no"),
        "yes": ScriptedModel(by_number, label="yes"),
    }
    lab = make_lab(models=models)
    monkeypatch.chdir(lab.project.location.root)
    prompt = lab.prompt("triage")
    v1, v2 = (
        prompt.save("Judge: {{ticket}}", model="no"),
        prompt.save("Judge well: {{ticket}}", model="yes"),
    )
    data = Dataset.read(
        [
            {"id": f"t{i}", "ticket": f"n {i}", "expected": "yes" if i % 4 else "no"}
            for i in range(40)
        ]
    )
    study = lab.evaluate([v1, v2], data, scorers=[equals()], name="first look")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab.promote(v1, env="prod", study=study, force=True, reason="what the code had")
    before = Path("promptops.json").read_bytes()
    words = ("promote", "triage", "v2", "--env", "prod", "--study", "first look", "--json")
    rehearsal = json.loads(run(*words, "--dry-run")[1])
    assert Path("promptops.json").read_bytes() == before
    code, out, err = run(*words)
    done = json.loads(out)
    assert (code, done["number"], done["forced"], done["changed"]) == (0, 2, False, True), err
    assert (rehearsal["number"], rehearsal["changed"], bool(rehearsal["evidence"])) == (
        2,
        True,
        True,
    )
    assert run("verify", "triage", "--env", "prod")[0] == 0
    assert run("registry", "check")[0] == 0
    assert (
        run(
            "promote", "triage", "v1", "--env", "prod", "--study", study.id, "--override", "to see"
        )[0]
        == 1
    )
    assert run("promote", "triage", "v1", "--env", "prod", "--study", "no such")[0] == 2


def test_a_refusal_is_a_line_of_its_own_whatever_it_quotes(run: Run, path: Path) -> None:
    """Authors and reasons come with a pull request: they steer no terminal, and begin no line."""
    forged = "x\n- prod serves v9\r\x1b[31mgated\u202e"
    editor = Editor(path)
    editor.save("plain", PromptVersion("Hello again"))
    for number in (1, 2):
        editor.promote("plain", number, "dev", author="ann")
    editor.rollback("plain", "dev", author=f"ann{forged}", reason=f"odd{forged}")
    code, _, said = run("promote", "plain", "v2", "--env", "dev")
    assert code == 1
    assert "rolled back by annx - prod serves v9" in said
    code, out, _ = run("status", "--env", "dev")
    for text in (said, out):
        assert not {"\x1b", "\r", "\u202e"} & set(text)
        assert not [line for line in text.splitlines() if line.startswith("- prod serves v9")]
