"""Law: the registry from a shell: tables in a pipe, JSON on request, exit codes 0, 1 and 2, one line an error, and rehearsals that write nothing."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import Loader, PromptVersion
from promptops.cli.__main__ import main
from promptops.errors import Refused
from promptops.policy import Policy
from promptops.registry.editor import Editor

NAME = "support-triage"
V = [PromptVersion(f"Line one\nVersion {number}: {{{{ticket}}}}", model="large") for number in range(1, 5)]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """v1 then v2 in prod, forced; v3 beside it as a canary in dev; another prompt that serves nowhere."""
    editor = Editor(tmp_path / "project" / "promptops.json")
    Path(editor.path).parent.mkdir()
    for version in V:
        editor.save(NAME, version, note="the note", author="ann")
    editor.save("plain", PromptVersion("Hello"))
    for number in (1, 2):
        editor.promote(NAME, number, "prod", author="ann", force=True, reason="first days")
    editor.promote(NAME, 2, "dev", author="ann")
    editor.promote(NAME, 3, "dev", author="bob", percent=20)
    return Path(editor.path)


@pytest.fixture
def run(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in the project's folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("PROMPTOPS_USER", "eve")

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


def table(out: str) -> list[dict[str, str]]:
    lines = [line.split("\t") for line in out.splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def tree(folder: Path) -> str:
    """Names, bytes and times of change of everything under a folder, but Python's own caches."""
    found = [p for p in sorted(folder.rglob("*")) if "__pycache__" not in p.parts]
    return hashlib.sha256(repr([(str(p), p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in found]).encode()).hexdigest()


# -- reading


def test_list(run: Run, path: Path) -> None:
    """One row a prompt with what serves where, canaries included."""
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert table(out) == [
        {"prompt": "plain", "versions": "1", "latest": "v1", "dev": "–", "prod": "–"},
        {"prompt": NAME, "versions": "4", "latest": "v4", "dev": "v2 + v3 20 %", "prod": "v2"},
    ]
    assert json.loads(run("list", "--json")[1])[1]["environments"] == {"dev": "v2 + v3 20 %", "prod": "v2"}
    path.write_text('{"promptops": 1, "prompts": {}}')
    code, out, err = run("list")
    assert (code, out, "no prompt in" in err) == (0, "", True)


def test_show(run: Run) -> None:
    """The versions as rows; one version whole, by number, label or id; as JSON it makes the same version again."""
    rows = table(run("show", NAME)[1])
    assert [row["version"] for row in rows] == ["v1", "v2", "v3", "v4"]
    assert [row["serves"] for row in rows] == ["–", "dev, prod", "dev (20 %)", "–"]
    for wanted in ("2", "v2", V[1].id, V[1].id[:12]):
        code, out, _ = run("show", NAME, wanted)
        assert (code, "Line one\nVersion 2: {{ticket}}" in out, "serves\tdev, prod" in out) == (0, True, True)
    content = json.loads(run("show", NAME, "2", "--json")[1])
    assert PromptVersion.from_content(content).id == content["id"] == V[1].id


def test_diff(run: Run) -> None:
    """Words between their marks, as Markdown, as JSON; nothing where nothing differs."""
    assert "Version [-1-]{+2+}: " in run("diff", NAME, "1", "2")[1]
    assert "~~1~~ **2**" in run("diff", NAME, "1", "2", "--markdown")[1]
    assert json.loads(run("diff", NAME, "1", "2", "--json")[1])["old"] == V[0].id
    assert run("diff", NAME, "1", "1")[1] == "no difference\n"


def test_history(run: Run) -> None:
    """All environments or one, oldest first, with who, why, forced and share."""
    rows = table(run("history", NAME)[1])
    assert [(row["env"], row["serves"], row["canary"], row["forced"]) for row in rows] == [
        ("dev", "v2", "–", "no"),
        ("dev", "v2", "v3 20 %", "no"),
        ("prod", "v1", "–", "yes"),
        ("prod", "v2", "–", "yes"),
    ]
    assert {row["why"] for row in rows if row["env"] == "prod"} == {"first days"}
    told = json.loads(run("history", NAME, "--env", "prod", "--json")[1])
    assert [(link["number"], link["position"]) for link in told] == [(1, 1), (2, 2)]
    assert "never deployed in 'staging'" in run("history", NAME, "--env", "staging")[2]


# -- changing


def test_promote(run: Run, path: Path) -> None:
    """An ungated environment takes it; what serves already is nothing to do; the author is stamped."""
    code, out, _ = run("promote", "plain", "v1", "--env", "dev", "--reason", "try")
    assert (code, out) == (0, "dev of plain serves v1 now, by eve\n")
    code, out, _ = run("promote", "plain", "1", "--env", "dev")
    assert (code, out.startswith("nothing to do: dev of plain serves v1 already")) == (0, True)
    code, out, _ = run("promote", NAME, "4", "--env", "prod", "--force", "--reason", "incident 7", "--author", "zoe", "--json")
    told = json.loads(out)
    assert (code, told["changed"], told["forced"], told["author"], bool(told["unmet"])) == (0, True, True, "zoe", True)
    assert Editor(path).history(NAME, "prod")[-1].reason == "incident 7"


def test_refusals_are_exit_code_1(run: Run) -> None:
    """The gate, a force without a reason, a second canary: every unmet point on standard error, and in the JSON."""
    code, out, err = run("promote", NAME, "3", "--env", "prod")
    assert (code, out, err.startswith("refused: ")) == (1, "", True)
    assert "There is no evidence for v3" in err
    code, out, _ = run("promote", NAME, "3", "--env", "prod", "--json")
    assert (code, json.loads(out)["changed"], len(json.loads(out)["refused"])) == (1, False, 1)
    assert run("promote", NAME, "3", "--env", "prod", "--force")[0] == 1
    assert run("promote", NAME, "4", "--env", "dev", "--percent", "5")[0] == 1
    assert run("promote", NAME, "4", "--env", "prod", "--percent", "100", "--force", "--reason", "x")[0] == 1


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


@pytest.mark.parametrize("words", [("promote", NAME), ("canary", NAME, "widen", "--env", "dev"), ("export",), ("require", "--write", "x")])
def test_wrong_arguments_are_exit_code_2(words: tuple[str, ...], run: Run) -> None:
    """As click says it, with the usage."""
    code, _, err = run(*words)
    assert (code, "Usage: promptops" in err) == (2, True)


def test_rollback(run: Run, path: Path) -> None:
    """At once, ungated, logged; to a named version; nothing where what is undone does not serve."""
    assert run("rollback", NAME, "--env", "prod", "--reason", "incident")[1] == f"prod of {NAME} serves v1 now, by eve\n"
    assert run("rollback", NAME, "--env", "prod", "--undo", "2")[1].startswith("nothing to do: 2 does not serve prod")
    assert json.loads(run("rollback", NAME, "--env", "prod", "--to", "v2", "--json")[1])["number"] == 2
    last = Editor(path).history(NAME, "prod")[-2]
    assert (last.kind, last.author, last.reason) == ("rollback", "eve", "incident")


def test_canary(run: Run) -> None:
    """Widened, finished; a new one aborted."""
    assert "gives v3 to 50 %, the rest stays on v2 now" in run("canary", NAME, "--env", "dev", "widen", "50")[1]
    assert run("canary", NAME, "--env", "dev", "finish")[1] == f"dev of {NAME} serves v3 now, by eve\n"
    assert "gives v4 to 5 %" in run("promote", NAME, "4", "--env", "dev", "--percent", "5")[1]
    assert run("canary", NAME, "abort", "--env", "dev")[1] == f"dev of {NAME} serves v3 now, by eve\n"


def test_dry_runs_write_nothing_and_check_the_same(run: Run, path: Path) -> None:
    """Every command that writes rehearses: nothing under the folder changes, refusals refuse, and what would be is said."""
    for name in ("base.json", "theirs.json"):
        (path.parent / name).write_bytes(path.read_bytes())
    Editor(path.parent / "theirs.json").promote("plain", 1, "dev", author="ann")
    (path.parent / "app_dry.py").write_text(f"import promptops\nloader = promptops.Loader({str(path)!r})\nloader.require('plain')\n")
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


def test_promote_through_a_study(make_lab: Callable[..., Any], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The study's evidence carries the promotion as in a notebook, and a rehearsal says the same first; a worse version is refused."""
    from promptops.lab import Dataset
    from promptops.models.scripted import ScriptedModel
    from promptops.scorers import equals

    models = {name: ScriptedModel(lambda request, name=name: name, label=name) for name in ("yes", "no")}
    lab = make_lab(models=models)
    monkeypatch.chdir(lab._home.root)
    prompt = lab.prompt("triage")
    v1, v2 = prompt.save("Judge: {{ticket}}", model="no"), prompt.save("Judge well: {{ticket}}", model="yes")
    data = Dataset.read([{"id": f"t{i}", "ticket": f"n {i}", "expected": "yes" if i % 4 else "no"} for i in range(40)])
    study = lab.evaluate([v1, v2], data, scorers=[equals()], name="first look")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab.promote(v1, to="prod", study=study, force=True, reason="what the code had")
    before = Path("promptops.json").read_bytes()
    words = ("promote", "triage", "v2", "--env", "prod", "--study", "first look", "--json")
    rehearsal = json.loads(run(*words, "--dry-run")[1])
    assert Path("promptops.json").read_bytes() == before
    code, out, err = run(*words)
    done = json.loads(out)
    assert (code, done["number"], done["forced"], done["changed"]) == (0, 2, False, True), err
    assert (rehearsal["number"], rehearsal["changed"], bool(rehearsal["evidence"])) == (2, True, True)
    assert run("verify", "triage", "--env", "prod")[0] == 0
    assert run("registry", "check")[0] == 0
    assert run("promote", "triage", "v1", "--env", "prod", "--study", study.id, "--again", "to see")[0] == 1
    assert run("promote", "triage", "v1", "--env", "prod", "--study", "no such")[0] == 2


# -- the file, its consumers, its copies


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=False)


def test_merge_as_gits_driver_and_diff_of_revisions(run: Run, path: Path) -> None:
    """Two branches that touched one prompt merge by `git merge`; a real conflict stops it; a revision is compared as Markdown."""
    folder = path.parent
    git(folder, "init", "-q", "-b", "main")
    source = Path(promptops.__file__).parents[1]
    driver = f"PYTHONPATH={source} {sys.executable} -m promptops.cli registry merge %O %A %B"
    git(folder, "config", "merge.promptops.driver", driver)
    (folder / ".gitattributes").write_text("promptops.json merge=promptops\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "base")
    git(folder, "switch", "-qc", "theirs")
    Editor(path).save(NAME, PromptVersion("theirs {{ticket}}"))
    Editor(path).promote("plain", 1, "dev", author="tim")
    git(folder, "commit", "-qam", "theirs")
    git(folder, "switch", "-q", "main")
    Editor(path).save(NAME, PromptVersion("ours {{ticket}}"))
    git(folder, "commit", "-qam", "ours")
    done = git(folder, "merge", "-q", "theirs", "-m", "both")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {entry.number for entry in Editor(path).versions(NAME)} == {1, 2, 3, 4, 5, 6}
    assert run("registry", "check")[0] == 0
    code, out, _ = run("registry", "diff", "HEAD~1")
    assert (code, "### plain" in out, "**dev** serves v1 by tim" in out) == (0, True, True)
    assert json.loads(run("registry", "diff", "HEAD~1", "HEAD", "--json")[1])[0]["prompt"] == "plain"
    for branch, author in (("one", "ann"), ("two", "bob")):
        git(folder, "switch", "-qc", branch, "main")
        Editor(path).rollback(NAME, "prod", to=1, author=author)
        git(folder, "commit", "-qam", branch)
    done = git(folder, "merge", "-q", "one", "-m", "both")
    assert done.returncode == 1
    assert f"prod of {NAME} was changed on both sides" in done.stdout + done.stderr


def test_require(run: Run, path: Path) -> None:
    """What an application states is written from its own loader, checked against what serves, and then holds up a promotion."""
    (path.parent / "shop_app.py").write_text(
        f"import promptops\nloader = promptops.Loader({str(path)!r})\nloader.require({NAME!r}, variables={{'ticket': 'string'}})\n"
    )
    words = ("require", "shop_app:loader", "--write", "promptops.consumers/checkout.json")
    code, out, err = run(*words)
    assert (code, {row["fits"] for row in table(out)}, "written" in err) == (0, {"yes"}, True)
    assert "same bytes" in run(*words)[2]
    assert [row["consumer"] for row in table(run("require")[1])] == ["checkout"] * 3
    Editor(path).save(NAME, PromptVersion("{{ticket}} {{tone}}"))
    code, _, err = run("promote", NAME, "5", "--env", "prod", "--force", "--reason", "x", "--dry-run")
    assert (code, "checkout does not supply" in run("promote", NAME, "5", "--env", "prod")[2]) == (0, True), err
    assert run("promote", NAME, "5", "--env", "prod", "--force", "--reason", "x")[0] == 0
    code, out, _ = run("require", "--env", "prod")
    assert (code, [row["fits"] for row in table(out)]) == (1, ["no"])


class Private(http.server.BaseHTTPRequestHandler):
    """Serves a registry to whoever shows the token."""

    body = b""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != "Bearer opensesame":
            self.send_error(401)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_sync(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file and from a private host; the token is read from a variable, and never shown."""
    copy = path.parent / "machine" / "promptops.json"
    assert run("sync", str(path), str(copy))[1] == f"{copy}: written\n"
    assert "the same bytes" in run("sync", str(path), str(copy))[1]
    Private.body = path.read_bytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Private)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/promptops.json"
        assert run("sync", address, str(copy))[0] == 2
        assert run("sync", address, str(copy), "--token-env", "REGISTRY_TOKEN")[0] == 2
        monkeypatch.setenv("REGISTRY_TOKEN", "opensesame")
        code, out, _ = run("sync", address, str(copy), "--token-env", "REGISTRY_TOKEN", "--json")
        assert (code, json.loads(out)["changed"], "opensesame" in out) == (0, False, False)
    finally:
        server.shutdown()
        server.server_close()
    assert Loader(copy, saved_copy=False).get(NAME, "prod").number == 2


def test_export(run: Run, path: Path) -> None:
    """A file that serves as its source does, the same text on standard output, and the TypeScript reader with its types."""
    assert run("export", "prod.json", "--env", "prod")[1] == "prod.json: written\n"
    assert Loader(path.parent / "prod.json", saved_copy=False).get(NAME, "prod").id == V[1].id
    assert run("export", "--env", "prod")[1] == (path.parent / "prod.json").read_text()
    assert run("registry", "check", "--registry", "prod.json")[0] == 0
    assert json.loads(run("export", "--typescript", "web", "--json")[1])["changed"] is True
    assert "same bytes" in run("export", "--typescript", "web")[1]
    text = (path.parent / "web" / "promptops.ts").read_text()
    assert f'"{NAME}": {{ ticket: string }};' in text
    assert '"plain": Record<string, never>;' in text
    run("export", "--typescript", "web", "--env", "prod")
    assert '"plain"' not in (path.parent / "web" / "promptops.ts").read_text()


COMMANDS = ["list", "show", "diff", "history", "promote", "rollback", "canary", "verify", "require", "sync", "export"]


@pytest.mark.parametrize(
    "words", [*([name] for name in COMMANDS), *(["registry", name] for name in ("check", "merge", "diff"))], ids=" ".join
)
def test_help_tells_the_exit_codes_and_json(words: list[str], run: Run) -> None:
    """Each command documents its exit codes and has --json; what writes has --dry-run."""
    code, out, _ = run(*words, "--help")
    assert (code, "Exit codes: 0" in " ".join(out.split()), "--json" in out) == (0, True, True)
    writes = {"promote", "rollback", "canary", "require", "sync", "export", "merge"}
    assert ("--dry-run" in out) is (words[-1] in writes)


def test_a_terminal_gets_a_table(path: Path) -> None:
    """On a terminal columns are aligned and there is no tab; nothing in a note can move the cursor."""
    import pty

    Editor(path).save("evil", PromptVersion("x"), note="\x1b[2Jgone")
    main_end, far_end = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(promptops.__file__).parents[1]), "COLUMNS": "160", "TERM": "dumb"}
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


def test_import_of_the_door_reads_no_typescript() -> None:
    """The application's import never touches the reader that is shipped for others."""
    script = "import promptops, sys; assert not [m for m in sys.modules if 'typescript' in m]"
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(Path(promptops.__file__).parents[1])})


def test_policy_of_the_registry_is_what_refuses(run: Run, path: Path) -> None:
    """An environment that policy names ungated takes a version; the same command was refused before."""
    words = ("promote", "plain", "1", "--env", "staging")
    assert run(*words)[0] == 1
    Editor(path).set_policy(Policy(ungated=("dev", "staging")))
    assert run(*words)[0] == 0
    with pytest.raises(Refused):
        Editor(path).promote("plain", 1, "prod", author="a")
