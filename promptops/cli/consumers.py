"""`promptops require`: what applications supply and read, so that no promotion breaks one of
them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from ..errors import RegistryError
from .completing import environments
from .options import EXITS, as_json, dry_run, registry
from .text_table import show as table

if TYPE_CHECKING:
    from ..registry.editor import Editor
    from ..registry.needs import Need

__all__ = ["require"]


@click.command(epilog=EXITS)
@click.argument("target", required=False)
@click.option(
    "--env",
    help="Check what this environment serves [default: all].",
    shell_complete=environments,
)
@click.option(
    "--write",
    "file",
    type=click.Path(dir_okay=False),
    help="Write TARGET's statement to this file in promptops.consumers/.",
)
@click.option("--consumer", default="", help="The application's name [default: the file's].")
@registry
@dry_run
@as_json
def require(
    target: str | None,
    env: str | None,
    file: str | None,
    consumer: str,
    path: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Check what serves against what applications state, or write an application's statement.

    TARGET is module:attribute of a promptops.Loader on which the application called require(...).
    Without it the statements in promptops.consumers/ beside the registry are checked. Exit code 1
    if a version would break one.

    \b
    promptops require app.prompts:loader --write promptops.consumers/checkout.json
    """
    from ..registry import needs
    from ..registry.editor import Editor

    consumer = consumer or (os.path.splitext(os.path.basename(file))[0] if file else "")
    stated = _stated(target, consumer) if target else needs.read(path)
    if file is not None and target is None:
        raise click.UsageError("--write needs TARGET, such as app.prompts:loader")
    rows = [row for need in stated for row in _rows(Editor(path), need, env)]
    table(rows, as_json=as_json, empty="no application has stated anything beside this registry")
    if file is not None:
        changed = True if dry_run else needs.write(file, consumer, stated)
        done = "written" if changed else "the same bytes were there"
        click.echo(f"{file}: {'would be written' if dry_run else done}", err=True)
    sys.exit(1 if any(row["fits"] is False for row in rows) else 0)


def _stated(target: str, consumer: str) -> list[Need]:
    """What a loader of the application's own code was given.

    Raises RegistryError if it does not exist.
    """
    from ..registry.needs import Need

    module, _, attribute = target.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
        for name in attribute.split(".") if attribute else ():
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise RegistryError(
            f"{target} cannot be imported ({error}); give module:attribute of a promptops.Loader."
        ) from None
    finally:
        sys.path.remove(os.getcwd())
    stated: Iterable[Need] | None = getattr(found, "needs", None)
    if not isinstance(stated, tuple) or not stated:
        raise RegistryError(
            f"{target} states no requirement; call loader.require(name, variables=...) on it"
            " when the"
            " module is imported."
        )
    return [Need(need.prompt, need.variables, need.output, consumer) for need in stated]


def _rows(editor: Editor, need: Need, env: str | None) -> Iterator[dict[str, object]]:
    """One row per environment that serves the prompt, on either arm; one with no environment where
    none does.
    """
    served = editor.environments(need.prompt)
    takes = ", ".join(
        f"{name}: {kind}" if kind else name for name, kind in sorted(need.variables.items())
    )
    base = {"consumer": need.consumer or None, "prompt": need.prompt, "supplies": takes or None}
    for name in served if env is None else [each for each in served if each == env]:
        now = editor.serving(need.prompt, name)
        if now is None:
            continue
        for number in {now.number, now.canary.number if now.canary else now.number}:
            version = next(
                entry.version for entry in editor.versions(need.prompt) if entry.number == number
            )
            unmet = need.unmet(version)
            yield {
                **base,
                "env": name,
                "serves": f"v{number}",
                "fits": not unmet,
                "why": "; ".join(unmet) or None,
            }
    if not served or (env is not None and env not in served):
        yield {**base, "env": env, "serves": None, "fits": None, "why": "not deployed"}
