"""`promptops sync` and `promptops export`: the registry on its way to machines and applications."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import click

from ..errors import RegistryError
from .completing import environments
from .options import EXITS, as_json, dry_run, explained, registry, say

__all__ = ["export", "sync"]


@click.command(epilog=EXITS)
@click.argument("source")
@click.argument("dest", type=click.Path(dir_okay=False))
@click.option(
    "--token-env",
    metavar="NAME",
    help="Send the value of this environment variable as a bearer token.",
)
@click.option("--timeout", default=30.0, show_default=True, help="Seconds.")
@dry_run
@as_json
@explained
def sync(
    source: str, dest: str, token_env: str | None, timeout: float, dry_run: bool, as_json: bool
) -> None:
    """Make DEST hold the registry at SOURCE, an https address or a file: fetched if it changed,
    verified, put in place whole.

    If anything goes wrong, DEST stays as it was. The ETag is kept beside it, so that an unchanged
    registry is not sent again.
    """
    from ..registry.sync import sync as bring

    headers = {}
    if token_env is not None:
        if not os.environ.get(token_env):
            raise RegistryError(
                f"the environment variable {token_env} is not set; put the token there, or leave"
                " --token-env out."
            )
        headers["Authorization"] = f"Bearer {os.environ[token_env]}"
    with tempfile.TemporaryDirectory(prefix="promptops-") as folder:
        into = _copied(dest, folder) if dry_run else dest
        synced = bring(source, into, headers=headers, timeout_s=timeout)
    why = f"would be {synced.why}" if dry_run and synced.changed else synced.why
    say(
        f"{dest}: {why}",
        {"dest": dest, "changed": synced.changed, "why": synced.why, "dry_run": dry_run},
        as_json,
    )


@click.command(epilog=EXITS)
@click.argument("dest", required=False, type=click.Path(dir_okay=False))
@click.option(
    "--env", help="The environment whose prompts are exported.", shell_complete=environments
)
@click.option(
    "--last",
    default=3,
    show_default=True,
    help="How many deployments of each are kept, the serving one included.",
)
@click.option(
    "--typescript",
    "folder",
    type=click.Path(file_okay=False),
    help="Write promptops.ts here: the reader, and each prompt's types.",
)
@registry
@dry_run
@as_json
def export(
    dest: str | None,
    env: str | None,
    last: int,
    folder: str | None,
    path: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write the small file of what ENV serves to DEST (to standard output without it), or the
    TypeScript reader to a folder.

    \b
    promptops export promptops.prod.json --env prod
    promptops export --typescript src/
    """
    if folder is None and env is None:
        raise click.UsageError("give --env, such as --env prod, or --typescript DIR")
    if folder is not None and dest is not None:
        raise click.UsageError("--typescript writes into its own folder; leave DEST out")
    if folder is not None:
        _typescript(path, folder, env, dry_run, as_json)
    elif env is not None:
        _small(path, dest, env, last, dry_run, as_json)


def _typescript(path: str, folder: str, env: str | None, rehearse: bool, machine: bool) -> None:
    from ..registry import typescript
    from ..registry.sync import sound

    typescript.check_folder(folder)
    target = os.path.join(folder, typescript.FILE)
    with tempfile.TemporaryDirectory(prefix="promptops-") as scratch:
        if rehearse:
            _copied(target, scratch)
        changed = typescript.write(
            sound(Path(path).read_bytes(), path), scratch if rehearse else folder, env
        )
    _tell(target, changed, rehearse, machine)


def _small(path: str, dest: str | None, env: str, last: int, rehearse: bool, machine: bool) -> None:
    from ..registry.registry_export import check_dest, export_file

    if dest is not None:
        check_dest(path, dest)
    with tempfile.TemporaryDirectory(prefix="promptops-") as scratch:
        into = (
            os.path.join(scratch, "export.json")
            if dest is None
            else _copied(dest, scratch)
            if rehearse
            else dest
        )
        changed = export_file(path, os.path.abspath(into), env, last)
        text = Path(into).read_text(encoding="utf-8")
    if dest is None:
        click.echo(text, nl=False)
        return
    _tell(dest, changed, rehearse, machine)


def _copied(target: str, folder: str) -> str:
    """Where `target` is rehearsed: a copy of it, and of the ETag beside it, in a folder that goes
    away.
    """
    name = os.path.basename(target)
    for each in (name, f".{name}.etag"):
        source = os.path.join(os.path.dirname(os.path.abspath(target)), each)
        if os.path.isfile(source):
            shutil.copyfile(source, os.path.join(folder, each))
    return os.path.join(folder, name)


def _tell(target: str, changed: bool, rehearsal: bool, machine: bool) -> None:
    why = (
        ("would be written" if rehearsal else "written") if changed else "the same bytes were there"
    )
    say(f"{target}: {why}", {"dest": target, "changed": changed, "dry_run": rehearsal}, machine)
