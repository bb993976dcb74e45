"""A small registry for one environment: what serves and the last few deployments, each chain sealed
as in its source.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import RegistryError
from . import chain, document
from .write_lock import replace

if TYPE_CHECKING:
    from .document import Document

__all__ = ["check_dest", "export", "export_file"]


def export(read: Document, env: str, last: int = 3) -> Document:
    """The document of what `env` serves: its prompts, their last deployments, and the versions that
    those cite.

    Loaders serve it as they serve the source, digests included; it cannot be written to.
    """
    if last < 1:
        raise RegistryError(
            f"an export keeps at least the last deployment, not {last}; give last=1 or more."
        )
    prompts: Document = {}
    for name, prompt in read["prompts"].items():
        environment = prompt.get("environments", {}).get(env)
        if environment is None:
            continue
        links = environment["deployments"]
        kept = links[-last:]
        before = environment.get("earlier")
        if len(links) > last:
            before = {
                "count": chain.position(environment) - last,
                "digest": links[-last - 1]["digest"],
            }
        cited = {link["version"] for link in kept} | {
            link["canary"]["version"] for link in kept if link.get("canary")
        }
        prompts[name] = {
            "environments": {env: {**({"earlier": before} if before else {}), "deployments": kept}},
            "versions": [entry for entry in prompt["versions"] if entry["id"] in cited],
        }
    return {
        "promptops": read["promptops"],
        "exported": {"environment": env, "last": last},
        "prompts": prompts,
    }


def export_file(source: str, dest: str, env: str, last: int = 3) -> bool:
    """Write the export of the file `source` to `dest`, whole or not at all. Returns whether the
    file changed.

    Raises RegistryCorrupt if the source is not sound, RegistryError if nothing serves there or
    `dest` is the source.
    """
    from .sync import sound

    check_dest(source, dest)
    with open(source, "rb") as file:
        read = sound(file.read(), source)
    exported = export(read, env, last)
    if not exported["prompts"]:
        raise RegistryError(f"{source} serves nothing in {env!r}; promote a version there first.")
    return replace(dest, document.render(exported).encode())


def check_dest(source: str, dest: str) -> None:
    """Raise RegistryError if an export would replace the registry that it is made from."""
    if os.path.exists(dest) and os.path.samefile(source, dest):
        raise RegistryError(
            f"{dest} is the registry itself, and an export would replace its versions and history;"
            " name another file, such as build/promptops.json."
        )
