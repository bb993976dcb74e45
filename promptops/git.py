"""What git knows about a folder, asked so that nothing which the folder configures is ever run.

A folder's `.git/config` may name programs: a file watcher, hooks, filters, a pager, a transport. It
may come from an unpacked archive or a shared disk, so it is data, not a wish of the user. Questions
about commits and files read only objects. Whether files changed is asked from an own, empty git
folder that borrows the index and the objects, where the configuration and the attributes of the
other one are not in force at all. Variables of the environment that steer git are left out too;
what the user configured for himself stays.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["author", "blob", "changed", "commit_on_branch", "head", "is_commit"]

_OWN = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CEILING_DIRECTORIES")
_QUIET = {
    "GIT_OPTIONAL_LOCKS": "0",  # a look writes nothing
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",  # a missing object is missing; fetching it would start a transport
    "GIT_ALLOW_PROTOCOL": "none",  # the same for a git that does not know the line above
}
_OFF = ("--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
# how the folder's files lie on this disk; without these, unchanged files would look changed
_LAYOUT = (
    "^core\\.(filemode|ignorecase|symlinks|precomposeunicode|autocrlf|eol|checkstat|trustctime)$"
)
_LAYOUT_VALUE = re.compile("[a-z]{1,12}")
_OBJECT_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


def head(folder: str) -> str | None:
    """The commit that is checked out, 12 hex digits or more; None outside a repository, or without
    git.
    """
    return _answer(folder, "rev-parse", "--short=12", "HEAD")


def author(folder: str) -> str | None:
    """The user's name as configured for the folder, else for the user."""
    return _answer(folder, "config", "user.name")


def changed(folder: str) -> bool | None:
    """Whether tracked files differ from the commit; None if that is unknown."""
    found = _answer(
        folder,
        "rev-parse",
        "HEAD",
        "--git-path",
        "index",
        "--git-path",
        "objects",
        "--show-toplevel",
    )
    lines = found.split("\n") if found is not None else []
    if len(lines) != 4 or not _OBJECT_ID.fullmatch(lines[0]):
        return None
    commit, index, objects, top = (
        lines[0],
        *(os.path.abspath(os.path.join(folder, line)) for line in lines[1:]),
    )
    layout = _answer(folder, "config", "--null", "--get-regexp", _LAYOUT) or ""
    with tempfile.TemporaryDirectory(prefix="promptops-git-") as own:
        _bare(Path(own), commit)
        borrowed = {
            "GIT_DIR": own,
            "GIT_WORK_TREE": top,
            "GIT_INDEX_FILE": index,
            "GIT_OBJECT_DIRECTORY": objects,
        }
        # "dirty": a submodule's commit is compared, but no git is started inside it
        words = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty")
        told = _answer(top, *_settings(layout), *words, borrowed=borrowed)
    return None if told is None else bool(told)


def blob(folder: str, revision: str, name: str) -> bytes | None:
    """The file `name` of `folder` as it was in a revision, or None.

    Raises OSError if git cannot be asked.
    """
    if revision.startswith("-"):  # an option, not a revision
        return None
    done = _run(folder, "cat-file", "blob", f"{revision}:./{name}", timeout_s=30)
    return done.stdout if done.returncode == 0 else None


def is_commit(folder: str, revision: str) -> bool:
    """Whether the name is that of a commit. Raises OSError if git cannot be asked."""
    words = ("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    return not revision.startswith("-") and _run(folder, *words, timeout_s=30).returncode == 0


def commit_on_branch(
    folder: str, branch: str, files: Mapping[str, bytes], message: str, author: str
) -> str:
    """Write files of `folder` as one commit on a new branch from HEAD; returns its id. The
    working tree, the index and every other branch stay as they are, and no hook runs.

    Raises FileExistsError if the branch exists, OSError if git cannot do it.
    """
    told = _answer(folder, "rev-parse", "--verify", "HEAD", "--show-prefix")
    parent, _, prefix = (told or "").partition("\n")
    if not _OBJECT_ID.fullmatch(parent):
        raise OSError(f"{folder} is not in a git repository that has a commit")
    if _answer(folder, "check-ref-format", f"refs/heads/{branch}") is None:
        raise OSError(f"git allows no branch of the name {branch}")
    if is_commit(folder, f"refs/heads/{branch}"):
        raise FileExistsError(branch)
    with tempfile.TemporaryDirectory(prefix="promptops-git-") as own:
        index = {"GIT_INDEX_FILE": os.path.join(own, "index")}
        _done(folder, "read-tree", parent, borrowed=index)
        for name, content in files.items():
            id_ = _done(folder, "hash-object", "-w", "--stdin", given=content)
            entry = f"100644,{id_},{prefix}{name}"
            _done(folder, "update-index", "--add", "--cacheinfo", entry, borrowed=index)
        tree = _done(folder, "write-tree", borrowed=index)
    who = re.sub(r"[<>\n\0]", " ", author).strip() or "unknown"
    named = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", who), ("EMAIL", "promptops@localhost"))
    }
    commit = _done(
        folder, "commit-tree", tree, "-p", parent, given=message.encode(), borrowed=named
    )
    _done(folder, "update-ref", f"refs/heads/{branch}", commit, "0" * len(commit))
    return commit


def _done(
    folder: str, *words: str, given: bytes = b"", borrowed: Mapping[str, str] | None = None
) -> str:
    """What git answers. Raises OSError with its words if it refuses."""
    done = _run(folder, *words, borrowed=borrowed, timeout_s=30, given=given)
    if done.returncode != 0:
        raise OSError(f"git {words[0]} failed: {os.fsdecode(done.stderr).strip()[:300]}")
    return os.fsdecode(done.stdout).strip()


def _bare(own: Path, commit: str) -> None:
    """The least that git takes for a repository, at the commit."""
    (own / "refs").mkdir()
    (own / "HEAD").write_text(f"{commit}\n", encoding="ascii")
    form = "0\n" if len(commit) == 40 else "1\n[extensions]\n\tobjectformat = sha256\n"
    (own / "config").write_text(f"[core]\n\trepositoryformatversion = {form}", encoding="ascii")


def _settings(layout: str) -> list[str]:
    """`key\\nvalue\\0...` as options; a value that is not a plain word is left out."""
    pairs = (line.partition("\n") for line in layout.split("\0"))
    return [
        word
        for key, _, value in pairs
        if _LAYOUT_VALUE.fullmatch(value)
        for word in ("-c", f"{key}={value}")
    ]


def _answer(folder: str, *words: str, borrowed: Mapping[str, str] | None = None) -> str | None:
    try:
        done = _run(folder, *words, borrowed=borrowed)
    except OSError:
        return None
    return os.fsdecode(done.stdout).strip() if done.returncode == 0 else None


def _run(
    folder: str,
    *words: str,
    borrowed: Mapping[str, str] | None = None,
    timeout_s: float = 5,
    given: bytes = b"",
) -> subprocess.CompletedProcess[bytes]:
    """git in the folder. Raises OSError if it cannot be started or does not end in time."""
    env = {
        key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key in _OWN
    }
    command = [_program(), "-C", folder or os.curdir, *_OFF, *words]
    try:
        return subprocess.run(
            command,
            env={**env, **_QUIET, **(borrowed or {})},
            input=given,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"git {words[0]} did not end within {timeout_s:g} s") from None


def _program() -> str:
    """git's own path.

    Never one of the working folder, where Windows and an empty entry of PATH would look first.
    """
    name = "git.exe" if os.name == "nt" else "git"
    for place in filter(os.path.isabs, os.get_exec_path()):
        found = os.path.join(place, name)
        if os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    raise FileNotFoundError("git is not in PATH")
