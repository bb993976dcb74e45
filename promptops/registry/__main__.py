"""The emergency door, on a base install: `python -m promptops.registry rollback NAME --env prod`.

Also what a deployment script and git need without extras: check, merge, sync, export.
Exit codes: 0 done, or nothing to do; 1 refused: a conflict, a fault, nothing to go back to; 2
misuse.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from ..errors import PromptOpsError
from ..markup import count
from . import document
from .locate import find


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path may have what the stream's code has not
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (PromptOpsError, OSError) as error:
        _say(error, sys.stderr)
        return 1


def _say(text: object, stream: TextIO | None = None) -> None:
    """A line on standard output, or on `stream`. The exit code says what became of the registry, so
    a reader that went away or a full disk behind the stream does not change it.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # it was closed before the process began
        return
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # else the interpreter tries once more as it ends
        os.close(nowhere)
        if stream is not sys.stderr and not isinstance(error, BrokenPipeError):
            _say(f"standard output cannot be written ({error.strerror}).", sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m promptops.registry", description="The registry file, without extras."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    back = commands.add_parser(
        "rollback", help="make an environment serve an earlier version at once"
    )
    back.add_argument("name")
    back.add_argument("--env", required=True)
    back.add_argument(
        "--to", help="the version to go back to (3, v3 or an id); the last good one without it"
    )
    back.add_argument("--if-serving", help="act only while this version serves")
    back.add_argument("--reason", default="")
    back.add_argument("--author", default="")
    back.add_argument(
        "--registry", help="the file; PROMPTOPS_REGISTRY or upwards from here without it"
    )
    back.set_defaults(run=_rollback)
    check = commands.add_parser("check", help="verify every version and every chain of the file")
    check.add_argument("--registry")
    check.set_defaults(run=_check)
    merge = commands.add_parser(
        "merge", help="merge three files into OURS; git's merge driver with %%O %%A %%B"
    )
    for side in ("base", "ours", "theirs"):
        merge.add_argument(side)
    merge.set_defaults(run=_merge)
    sync = commands.add_parser(
        "sync", help="bring a registry here from https or a file, verified, atomic"
    )
    sync.add_argument("source")
    sync.add_argument("dest")
    sync.set_defaults(run=_sync)
    export = commands.add_parser("export", help="write the small file of one environment")
    export.add_argument("dest")
    export.add_argument("--env", required=True)
    export.add_argument("--last", type=int, default=3)
    export.add_argument("--registry")
    export.set_defaults(run=_export)
    return parser


def _rollback(options: argparse.Namespace) -> int:
    from .editor import Editor

    author = options.author or os.environ.get("PROMPTOPS_USER") or _login()
    editor = Editor(options.registry or find())
    done = editor.rollback(
        options.name,
        options.env,
        if_serving=options.if_serving,
        to=options.to,
        author=author,
        reason=options.reason,
    )
    if done is None:
        _say(f"nothing to do: {options.if_serving} does not serve {options.env} of {options.name}.")
    elif not done.changed:
        _say(f"nothing to do: {options.env} of {options.name} serves {done.label} already.")
    else:
        _say(f"{options.env} of {options.name} serves {done.label} now.")
        if done.note:
            _say(f"warning: {done.note}")
    return 0


def _check(options: argparse.Namespace) -> int:
    path = options.registry or find()
    with open(path, "rb") as file:
        read = document.parse(file.read(), path)
    faults = [fault for _, fault in document.check(read)]
    for fault in faults:
        _say(fault, sys.stderr)
    versions = sum(
        len(prompt["versions"]) for prompt in read["prompts"].values() if isinstance(prompt, dict)
    )
    _say(
        f"{path}: {count(len(read['prompts']), 'prompt')}, {count(versions, 'version')},"
        f" {count(len(faults), 'fault') if faults else 'no faults'}."
    )
    return 1 if faults else 0


def _merge(options: argparse.Namespace) -> int:
    from .merge_branches import merge_files

    merged = merge_files(options.base, options.ours, options.theirs)
    for text in (*merged.notes, *merged.conflicts):
        _say(text, sys.stderr)
    return 1 if merged.conflicts else 0


def _sync(options: argparse.Namespace) -> int:
    from .sync import sync

    synced = sync(options.source, options.dest)
    _say(f"{options.dest}: {synced.why}.")
    return 0


def _export(options: argparse.Namespace) -> int:
    from .registry_export import export_file

    changed = export_file(options.registry or find(), options.dest, options.env, options.last)
    _say(f"{options.dest}: {'written' if changed else 'the same bytes were there'}.")
    return 0


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an unknown uid in a container
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
