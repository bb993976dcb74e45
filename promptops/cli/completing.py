"""What a shell completes: prompts, versions, environments and studies, read from the registry file
and the evidence beside it.

Completing imports nothing outside the standard library and click, never fails, and completes
nothing if there is no registry to read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..errors import PromptOpsError
from ..markup import shorten

__all__ = ["complete_commands", "completing", "environments", "prompts", "studies", "versions"]

HELP_WIDTH = 60
# bash puts a completed word on the command line as it is: what it would run or part is not offered
_NAME = re.compile(r"\w[\w .,:@%+/-]*")
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completing() -> bool:
    """Whether a shell asks for completions, instead of a person for a command."""
    return "_PROMPTOPS_COMPLETE" in os.environ


def complete_commands(summaries: dict[str, str], incomplete: str) -> list[CompletionItem]:
    """The commands that begin so, without importing one."""
    return [
        CompletionItem(name, help=summary)
        for name, summary in summaries.items()
        if name.startswith(incomplete)
    ]


def _from_registry(found: Callable[[str, click.Context], Iterator[tuple[str, str]]]) -> Complete:
    """A completer of (value, help) pairs; what goes wrong while reading completes nothing."""

    def complete(
        context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from ..registry.locate import find

        try:
            pairs = list(found(context.params.get("path") or find(), context))
        except (PromptOpsError, OSError, KeyError, TypeError, ValueError, AttributeError):
            return []
        return [
            CompletionItem(value, help=shorten(text, HELP_WIDTH))
            for value, text in pairs
            if value.startswith(incomplete)
        ]

    return complete


def _prompts(path: str, _context: click.Context) -> Iterator[tuple[str, str]]:
    from ..registry.editor import Editor

    editor = Editor(path)
    for name in editor.names():
        serves = ", ".join(f"{env} v{number}" for env, number in editor.environments(name).items())
        yield name, serves or "serves nowhere"


def _versions(path: str, context: click.Context) -> Iterator[tuple[str, str]]:
    from ..registry.editor import Editor

    editor = Editor(path)
    for entry in reversed(editor.versions(_named(context, editor.names()))):
        yield f"v{entry.number}", entry.note


def _named(context: click.Context, names: tuple[str, ...]) -> str:
    """The prompt that the words before name; click leaves them unparsed where an option comes last
    that still lacks its value.
    """
    given = [context.params.get("name"), context.params.get("prompt"), *context.args]
    return next((str(word) for word in given if word in names), "")


def _environments(path: str, context: click.Context) -> Iterator[tuple[str, str]]:
    from ..registry.editor import Editor

    editor = Editor(path)
    names = editor.names()
    named = _named(context, names)
    serving: dict[str, list[str]] = {}
    for name in names:
        for env, number in editor.environments(name).items():
            serving.setdefault(env, []).append(f"{name} v{number}")
    own = editor.environments(named)
    for env in sorted(serving, key=lambda env: (env not in own, env)):
        yield env, f"v{own[env]}" if env in own else ", ".join(serving[env])


def _studies(path: str, _context: click.Context) -> Iterator[tuple[str, str]]:
    """The studies that the evidence beside the registry comes from, newest first."""
    import json
    from pathlib import Path

    from ..evidence import FOLDER
    from ..plain_file import read_plain

    found: dict[str, tuple[str, str]] = {}
    for file in (Path(path).parent / FOLDER).glob("*.json"):
        try:
            document: dict[str, Any] = json.loads(read_plain(file))
            labels = document["labels"]
            arms = " -> ".join(labels[arm] for arm in ("baseline", "candidate") if arm in labels)
            text = f"{document['prompt']} {arms}, {document['made_at'][:10]}"
            if _NAME.fullmatch(document["study"]):
                found[document["study"]] = (document["made_at"], text)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    for study, (_, text) in sorted(found.items(), key=lambda item: item[1], reverse=True):
        yield study, text


prompts: Complete = _from_registry(_prompts)
versions: Complete = _from_registry(_versions)
environments: Complete = _from_registry(_environments)
studies: Complete = _from_registry(_studies)
