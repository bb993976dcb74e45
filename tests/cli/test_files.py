"""Law: the file itself from a shell: merged by git, compared, brought to machines, exported, and
what applications state about it.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import Loader, PromptVersion
from promptops.registry import typescript
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


def git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *who, *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_merge_as_gits_driver_and_diff_of_revisions(run: Run, path: Path) -> None:
    """Two branches that touched one prompt merge by `git merge`; a real conflict stops it; a
    revision is compared as Markdown.
    """
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
    assert (
        json.loads(run("registry", "diff", "HEAD~1", "HEAD", "--json")[1])[0]["prompt"] == "plain"
    )
    for branch, author in (("one", "ann"), ("two", "bob")):
        git(folder, "switch", "-qc", branch, "main")
        Editor(path).rollback(NAME, "prod", to=1, author=author)
        git(folder, "commit", "-qam", branch)
    done = git(folder, "merge", "-q", "one", "-m", "both")
    assert done.returncode == 1
    assert f"prod of {NAME} was changed on both sides" in done.stdout + done.stderr


def test_require(run: Run, path: Path) -> None:
    """What an application states is written from its own loader, checked against what serves, and
    then holds up a promotion.
    """
    (path.parent / "shop_app.py").write_text(
        f"import promptops\nloader = promptops.Loader({str(path)!r})\nloader.require({NAME!r},"
        " variables={'ticket': 'string'})\n"
    )
    words = ("require", "shop_app:loader", "--write", "promptops.consumers/checkout.json")
    code, out, err = run(*words)
    assert (code, {row["fits"] for row in table(out)}, "written" in err) == (0, {"yes"}, True)
    assert "same bytes" in run(*words)[2]
    assert [row["consumer"] for row in table(run("require")[1])] == ["checkout"] * 3
    Editor(path).save(NAME, PromptVersion("{{ticket}} {{tone}}"))
    code, _, err = run(
        "promote", NAME, "5", "--env", "prod", "--force", "--reason", "x", "--dry-run"
    )
    assert (code, "checkout does not supply" in run("promote", NAME, "5", "--env", "prod")[2]) == (
        0,
        True,
    ), err
    assert run("promote", NAME, "5", "--env", "prod", "--force", "--reason", "x")[0] == 0
    code, out, _ = run("require", "--env", "prod")
    assert (code, [row["fits"] for row in table(out)]) == (1, ["no"])


class Private(http.server.BaseHTTPRequestHandler):
    """Serves a registry to anyone who shows the token."""

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
    """A file that serves as its source does, the same text on standard output, and the TypeScript
    reader with its types.
    """
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


def test_the_typescript_files_of_an_installed_package_are_an_archive(tmp_path: Path) -> None:
    """Their text is that of the files, whose place the archive takes."""
    (tmp_path / typescript.FILE).write_text("of the checkout")
    assert typescript.packed(tmp_path, typescript.FILE) == "of the checkout"
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        for name in (typescript.FILE, typescript.OBSERVE):
            archive.writestr(f"promptops/registry/typescript/{name}", name, zipfile.ZIP_DEFLATED)
    for name in (typescript.FILE, typescript.OBSERVE):
        assert typescript.packed(tmp_path, name) == name


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_export_replaces_neither_its_registry_nor_a_file_of_ones_own(
    run: Run, path: Path, more: tuple[str, ...]
) -> None:
    """By name, by a link or through the module; a module promptops.ts that somebody wrote stays."""
    before, link = path.read_bytes(), path.parent / "link.json"
    link.symlink_to(path)
    for dest in ("promptops.json", "link.json"):
        code, _, said = run("export", dest, "--env", "prod", *more)
        assert (code, "is the registry itself" in said) == (2, True)
        assert path.read_bytes() == before
    for name in ("promptops.ts", "promptops_observe.ts"):
        own = path.parent / name.removesuffix(".ts") / name
        own.parent.mkdir()
        own.write_text('export { ask } from "promptops";\n', encoding="utf-8")
        code, _, said = run("export", "--typescript", str(own.parent), *more)
        assert (code, "not written by an export" in said) == (2, True)
        assert own.read_text(encoding="utf-8") == 'export { ask } from "promptops";\n'


def test_check_says_which_loader_a_form_needs(run: Run, path: Path) -> None:
    """By prompt and form, and which version OpenAI takes through Responses only. These are notes:
    the file has no fault.
    """
    tool = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    editor = Editor(path)
    for text in ("one", "two"):
        editor.save("plain", PromptVersion(text, api="responses"))
    editor.save("plain", PromptVersion("three", model="gpt-6", tools=[tool]))
    code, _, err = run("registry", "check")
    assert code == 0
    assert "plain v2, v3 are of the form 'responses': they need a loader of promptops-toolk" in err
    assert "plain v4: OpenAI takes tools with the reasoning of gpt-6 through Responses only" in err
    assert 'version.but(api="responses")' in err
    told = json.loads(run("registry", "check", "--json")[1])
    assert [note[:9] for note in told["notes"]] == ["plain v4:", "plain v2,"]
    assert told["faults"] == []
