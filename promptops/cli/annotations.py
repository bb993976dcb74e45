"""Remarks at the lines of a registry file, in the form that a workflow of GitHub turns into
annotations of a pull request.

Whatever a remark quotes stays on its line: a note that somebody wrote is not a command.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..markup import shorten

if TYPE_CHECKING:
    from ..registry.changes import PromptChange
    from ..registry.line_index import LineIndex

__all__ = ["annotation", "index_of", "of_changes"]

_WIDTH = 500


def annotation(level: str, path: str, line: int, text: str) -> str:
    """One remark. level: "error", "warning" or "notice"; path: of the file, named from the
    workspace; text: one line is made of it.
    """
    root = os.environ.get("GITHUB_WORKSPACE") or os.getcwd()
    near = os.path.relpath(os.path.realpath(path), os.path.realpath(root)).replace(os.sep, "/")
    wording = _escaped(shorten(text, _WIDTH))
    return f"::{level} file={_escaped(near, ':,')},line={line},title=promptops::{wording}"


def index_of(path: str, read: Any) -> LineIndex:
    """The lines of the file at a path."""
    from ..registry.line_index import LineIndex

    return LineIndex(Path(path).read_bytes().decode("utf-8", "replace"), read)


def of_changes(found: Iterable[PromptChange], path: str, read: Any) -> Iterator[str]:
    """A remark at each version and deployment that is new, and at what a reviewer has to see: a
    deployment that was forced, a history that was cut, a fault.
    """
    index = index_of(path, read)
    for change in found:
        name = change.name
        for entry, before, _ in change.versions:
            since = f", from v{before.number}" if before is not None else ""
            by = f" by {entry.author}" if entry.author else ""
            note = f": {entry.note}" if entry.note else ""
            text = f"{name} v{entry.number} is new{by}{since}{note}"
            yield annotation("notice", path, index.version(name, entry.id), text)
        for link in change.deployments:
            text = f"{link.env} of {name} serves {link.label} ({link.kind}) by {link.author}"
            text += f": {link.reason}" if link.reason else ""
            text += f"; forced past: {' '.join(link.unmet)}" if link.forced else ""
            line = index.deployment(name, link.env, link.digest)
            yield annotation("warning" if link.forced else "notice", path, line, text)
        for env, was, now in change.back:
            text = (
                f"{env} of {name} goes back from {was} to {now or 'nothing'}: its history was cut"
            )
            yield annotation("error", path, index.deployment(name, env), text)
        for fault in change.faults:
            yield annotation("error", path, index.mentioned(name, fault), fault)


def _escaped(text: str, more: str = "") -> str:
    """Text in which the runner reads no end of the remark."""
    for sign in f"%\r\n{more}":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text
