"""What the commands around the registry share: options, exit codes, who acts, and a rehearsal that
writes nothing real.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from ..errors import PromptOpsError, RegistryCorrupt, RegistryError, RegistryNotFound
from ..evidence import FOLDER as EVIDENCE
from ..markup import plain, shorten
from ..plain_file import copy_plain
from ..registry.locate import absolute, find
from ..registry.needs import FOLDER as CONSUMERS

__all__ = [
    "EXITS",
    "acting",
    "as_json",
    "author",
    "dry_run",
    "explained",
    "notes",
    "rehearsed",
    "registry",
    "say",
    "tell",
]

_LONGEST = 10_000  # characters of a sentence

EXITS = (
    "Exit codes: 0 done, or nothing to do; 1 refused by policy, or a check does not hold; 2 misuse,"
    " or the command could not run."
)


def explained(run: Callable[..., object]) -> Callable[..., object]:
    """The command, with one sentence in place of a traceback where a file cannot be read or
    written, or the registry is malformed.
    """

    @functools.wraps(run)
    def explaining(*args: object, **options: Any) -> object:
        try:
            return run(*args, **options)
        except (PromptOpsError, BrokenPipeError):
            raise
        except OSError as error:
            raise RegistryError(
                f"{error.filename or 'a file'} cannot be read or written ({error.strerror})."
            ) from None
        except (TypeError, KeyError, AttributeError):
            faults = _faults(options.get("path"))
            if not faults:
                raise
            more = f" and {len(faults) - 1} more faults" if len(faults) > 1 else ""
            raise RegistryCorrupt(
                f"{faults[0]}{more}; restore it from git, or see `promptops registry check`."
            ) from None

    return explaining


def registry(run: Callable[..., object]) -> Callable[..., object]:
    """The option --registry, passed as `path`: an existing file, absolute."""
    option = click.option(
        "--registry",
        "path",
        type=click.Path(dir_okay=False),
        callback=lambda _context, _option, value: _existing(value),
        help=(
            "Registry file [default: $PROMPTOPS_REGISTRY, or promptops.json in this or a parent"
            " folder]."
        ),
    )
    return option(explained(run))


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
dry_run = click.option(
    "--dry-run",
    is_flag=True,
    help="Check as usual and show what would be written, but write nothing.",
)
acting = click.option(
    "--author",
    default="",
    help="Author to record [default: $PROMPTOPS_USER, git user.name, login].",
)


def _existing(named: str | None) -> str:
    path = absolute(named) if named else find()
    if not os.path.isfile(path):
        raise RegistryNotFound(
            f"no registry file at {path}; the first lab.prompt(name).save(...) makes it, or give"
            " --registry."
        )
    return path


def _faults(path: str | None) -> list[str]:
    from ..registry import document

    if path is None:
        return []
    with open(path, "rb") as file:
        return [fault for _, fault in document.check(document.parse(file.read(), path))]


def author(named: str, path: str) -> str:
    """Who acts on the registry at `path`."""
    if named:
        return named
    from ..study.author import author as found

    return found(os.path.dirname(path))


@contextlib.contextmanager
def rehearsed(path: str, rehearse: bool) -> Iterator[str]:
    """The registry's path, or that of a copy in a rehearsal, beside copies of its evidence
    and its consumers' statements.
    """
    if not rehearse:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="promptops-") as folder:
        if os.path.exists(path):
            copy_plain(path, os.path.join(folder, os.path.basename(path)))
        for beside in (EVIDENCE, CONSUMERS):
            source = (
                Path(os.path.realpath(path)).parent / beside
                if beside == EVIDENCE
                else Path(path).parent / beside
            )
            if source.is_dir():
                shutil.copytree(
                    source,
                    Path(folder) / beside,
                    copy_function=copy_plain,
                    ignore_dangling_symlinks=True,
                )
        yield os.path.join(folder, os.path.basename(path))


@contextlib.contextmanager
def notes() -> Iterator[None]:
    """What is reported by way of a warning becomes a line on standard error, without the place in
    the code.
    """
    with warnings.catch_warnings(record=True) as text:
        warnings.simplefilter("always")
        yield
    for warning in text:
        click.echo(plain(f"note: {warning.message}"), err=True)


def tell(sentence: object) -> None:
    """A sentence on standard error, on one line and without marks that a terminal obeys. It may
    quote a file, whose text must not look like a line of its own.
    """
    click.echo(shorten(sentence, _LONGEST), err=True)


def say(line: str, value: object, machine: bool) -> None:
    """One line for people, or the value as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str) if machine else line)
