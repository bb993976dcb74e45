"""A folder's git configuration is data: whatever programs it names, none of our looks runs one."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import promptops
from promptops import git
from promptops.cli.registry_command import registry
from promptops.study import author as author_module
from promptops.study import provenance

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="the programs of these folders are shell scripts"
)


def do(folder: Path, *words: str) -> str:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *named, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with a registry in its commit."""
    made = tmp_path / "checkout"
    made.mkdir()
    do(made, "init", "-q")
    (made / "promptops.json").write_text('{"form":"promptops-registry-1","prompts":{}}\n')
    (made / "code.py").write_text("one = 1\n")
    do(made, "add", ".")
    do(made, "commit", "-qm", "one")
    return made


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Says in a file beside itself that it was run."""
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\ncat\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def config(key: str, value: str = "{program}") -> Callable[[Path, Path], None]:
    def named(folder: Path, program: Path) -> None:
        do(folder, "config", key, value.format(program=program))

    return named


def hook(folder: Path, program: Path) -> None:
    (folder / ".git" / "hooks").mkdir(exist_ok=True)
    (folder / ".git" / "hooks" / "post-index-change").symlink_to(program)


def filtered(kind: str, where: str) -> Callable[[Path, Path], None]:
    def named(folder: Path, program: Path) -> None:
        (folder / where).parent.mkdir(exist_ok=True)
        (folder / where).write_text("* filter=a=b\n" if kind == "clean" else "* filter=x\n")
        do(folder, "config", f"filter.{'a=b' if kind == 'clean' else 'x'}.{kind}", str(program))

    return named


def textconv(folder: Path, program: Path) -> None:
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("* diff=x\n")
    do(folder, "config", "diff.x.textconv", str(program))
    do(folder, "config", "diff.x.command", str(program))


def included(folder: Path, program: Path) -> None:
    (folder / "more").write_text(f"[core]\n\tfsmonitor = {program}\n")
    do(folder, "config", "include.path", "../more")


def submodule(folder: Path, program: Path) -> None:
    """A submodule with a configuration of its own."""
    inner = folder / "inner"
    inner.mkdir()
    do(inner, "init", "-q")
    (inner / "f").write_text("f")
    do(inner, "add", ".")
    do(inner, "commit", "-qm", "inner")
    do(folder, "add", "inner")
    do(folder, "commit", "-qm", "with a submodule")
    do(inner, "config", "core.fsmonitor", str(program))


def lazy(folder: Path, program: Path) -> None:
    """A partial clone whose missing objects come over a transport of the folder's choice."""
    blob = do(folder, "rev-parse", "HEAD:promptops.json")
    (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": "ssh://nowhere.invalid/x",
        "core.sshCommand": str(program),
        "gc.auto": "0",
    }.items():
        do(folder, "config", key, value)


NAMED = {
    "fsmonitor": config("core.fsmonitor"),
    "fsmonitor, included": included,
    "hook": hook,
    "hooksPath": lambda folder, program: (
        hook(folder, program),
        do(folder, "config", "core.hooksPath", ".git/hooks"),
    ),
    "filter clean, in the tree": filtered("clean", ".gitattributes"),
    "filter clean, in .git": filtered("clean", ".git/info/attributes"),
    "filter process": filtered("process", ".git/info/attributes"),
    "textconv and diff command": textconv,
    "diff.external": config("diff.external"),
    "pager": config("core.pager"),
    "pager of a command": config("pager.status"),
    "alias": config("alias.status", "!{program}"),
    "sshCommand of a partial clone": lazy,
    "editor": config("core.editor"),
    "submodule": submodule,
}


def looks(folder: Path) -> None:
    """Every door through which git is asked about a folder."""
    (folder / "code.py").write_text(
        "one = 1\n"
    )  # the same text at another time: git has to read it
    os.utime(folder / "code.py", (1, 1))
    provenance._git_state.cache_clear()
    provenance.provenance(folder)
    author_module._of_git.cache_clear()
    author_module.author(folder)
    path = str(folder / "promptops.json")
    CliRunner().invoke(registry, ["diff", "HEAD", "--registry", path])
    CliRunner().invoke(registry, ["diff", "no-such-revision", "--registry", path])


@pytest.mark.parametrize("name", NAMED)
def test_no_program_of_a_folder_runs(
    name: str, folder: Path, program: Path, tmp_path: Path
) -> None:
    NAMED[name](folder, program)
    (tmp_path / "ran").unlink(missing_ok=True)  # setting it up may have run it
    looks(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_EXTERNAL_DIFF": "{program}"},
        {"GIT_SSH_COMMAND": "{program}", "GIT_PAGER": "{program}"},
        {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.fsmonitor",
            "GIT_CONFIG_VALUE_0": "{program}",
        },
        {"GIT_CONFIG_PARAMETERS": "'core.fsmonitor'='{program}'"},
        {"GIT_TRACE2_EVENT": "{ran}", "GIT_TRACE": "{ran}"},
        {"GIT_DIR": "{nowhere}", "GIT_INDEX_FILE": "{nowhere}/index"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_variables_that_steer_git_are_left_out(
    variables: dict[str, str],
    folder: Path,
    program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of a hook that we run in, or of a shell that somebody prepared; the answers are those
    of the folder.
    """
    wanted = do(folder, "rev-parse", "--short=12", "HEAD")
    for key, value in variables.items():
        monkeypatch.setenv(
            key, value.format(program=program, ran=tmp_path / "ran", nowhere=tmp_path)
        )
    looks(folder)
    assert not (tmp_path / "ran").exists()
    assert git.head(str(folder)) == wanted
    assert git.changed(str(folder)) is False


def test_a_git_in_the_working_folder_is_not_git(
    folder: Path, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty or relative entry of PATH means the working folder."""
    (folder / "git").symlink_to(program)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", os.environ["PATH"]]))
    looks(folder)
    assert not (tmp_path / "ran").exists()


def test_answers_are_those_of_git(folder: Path) -> None:
    """Clean, touched, edited, staged, committed, in a linked work tree, with a submodule that
    moved.
    """
    here = str(folder)
    do(folder, "config", "user.name", "Ann")
    assert (git.changed(here), git.author(here)) == (False, "Ann")
    os.utime(folder / "code.py", (1, 1))
    assert git.changed(here) is False
    (folder / "untracked").write_text("x")
    assert git.changed(here) is False
    (folder / "code.py").write_text("one = 2\n")
    assert git.changed(here) is True
    do(folder, "add", "code.py")
    assert git.changed(here) is True
    do(folder, "commit", "-qm", "two")
    assert git.changed(here) is False
    do(folder, "worktree", "add", "-q", "../linked", "-b", "linked")
    linked = folder.parent / "linked"
    assert (git.head(str(linked)), git.changed(str(linked))) == (git.head(here), False)
    (linked / "code.py").write_text("one = 3\n")
    assert (git.changed(str(linked)), git.changed(here)) == (True, False)
    submodule(folder, Path("/bin/true"))
    assert git.changed(here) is False
    do(
        folder / "inner",
        "-c",
        "core.fsmonitor=false",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "moved",
    )
    assert git.changed(here) is True


def test_how_files_lie_on_the_disk_counts(folder: Path) -> None:
    """A checkout with its own line ends, or on a disk without executable bits, is not changed by
    that.
    """
    here = str(folder)
    do(folder, "config", "core.fileMode", "false")
    (folder / "code.py").chmod(0o755)
    assert git.changed(here) is False
    do(folder, "config", "core.autocrlf", "true")
    (folder / "code.py").unlink()
    do(folder, "checkout", "code.py")
    assert (folder / "code.py").read_bytes() == b"one = 1\r\n"
    os.utime(folder / "code.py", (1, 1))
    assert git.changed(here) is False


def test_a_look_writes_nothing(folder: Path) -> None:
    """Not even the index, which git refreshes by itself."""
    os.utime(folder / "code.py", (1, 1))
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    assert git.changed(str(folder)) is False
    assert {
        path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    } == before


def test_sha256_and_names_outside_utf8(tmp_path: Path) -> None:
    """A repository of the other hash, in a folder whose name is not UTF-8."""
    made = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        made.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    do(made, "init", "-q", "--object-format=sha256")
    (made / "f").write_text("f")
    do(made, "add", ".")
    do(made, "commit", "-qm", "one")
    assert git.changed(str(made)) is False
    (made / "f").write_text("g")
    assert git.changed(str(made)) is True


def test_blobs_of_revisions(folder: Path) -> None:
    """The file as it was; nothing if it was not; an option is not a revision."""
    assert git.blob(str(folder), "HEAD", "code.py") == b"one = 1\n"
    assert git.blob(str(folder), "HEAD", "no.py") is None
    assert git.blob(str(folder), "--batch", "code.py") is None
    assert (git.is_commit(str(folder), "HEAD"), git.is_commit(str(folder), "--all")) == (
        True,
        False,
    )


def test_git_is_started_in_one_place() -> None:
    """Another module that starts git by itself would miss all of this."""
    package = Path(promptops.__file__).parent
    naming = [
        path.relative_to(package).as_posix()
        for path in sorted(package.rglob("*.py"))
        if '["git"' in (text := path.read_text(encoding="utf-8"))
        or "'git'" in text
        or '("git"' in text
    ]
    assert naming == []
    starting = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "import subprocess" in path.read_text(encoding="utf-8")
    ]
    assert sorted(starting) == [
        "cli/demo.py",
        "git.py",
        "models/surroundings.py",  # known as what starts a program; it starts none
        "scorers/isolated.py",
    ]
