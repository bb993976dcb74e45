"""The TypeScript reader, and the types of each prompt's variables, as one file for an application's
own tree.

`promptops.ts` beside this module is the reader; it is read here only, when somebody exports. The
same registry gives the same bytes, so that CI can tell whether the file in an application is up to
date.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from zipfile import ZipFile

from ...errors import RegistryError
from ...plain_file import open_plain
from ..entry import to_version
from ..write_lock import replace

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from ...version import PromptVersion
    from ..document import Document

__all__ = ["FILE", "OBSERVE", "check_folder", "packed", "reader", "types", "write"]

FILE = "promptops.ts"
OBSERVE = "promptops_observe.ts"  # live calls; beside the reader, which does not need it
_ARCHIVE = "files.zip"  # of the installed package
_PATTERNS = "// what the Python package takes for a secret\n"
_BEGIN, _END = "// <prompts>\n", "// </prompts>\n"
_HEAD = 4096  # bytes in which an export says what it is
_TYPES = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "object": "object",
    "list": "readonly unknown[]",
}


def write(read: Document, folder: str, env: str | None = None) -> bool:
    """Write the reader with the registry's types into `folder`. Returns whether the file changed.

    env: type what this environment serves; None for what any environment serves, else the latest
    version. Raises RegistryError if no prompt can be typed or another file is in the
    place, RegistryCorrupt if a version is not sound.
    """
    check_folder(folder)
    head, rest = reader().split(_BEGIN)
    tail = rest.split(_END)[1]
    os.makedirs(folder, exist_ok=True)
    observed = replace(os.path.join(os.path.abspath(folder), OBSERVE), reader(OBSERVE).encode())
    return observed | replace(
        os.path.join(os.path.abspath(folder), FILE),
        f"{head}{_BEGIN}{types(read, env)}{_END}{tail}".encode(),
    )


def check_folder(folder: str) -> None:
    """Raise RegistryError if a file that no export wrote is where one would be written."""
    for name in (FILE, OBSERVE):
        path = os.path.join(folder, name)
        try:
            with open_plain(path) as file:
                there = file.read(_HEAD)
        except OSError:  # nothing is lost, or writing says what is there
            continue
        title = reader(name).split("\n")[1].split(":")[0].split(",")[0].strip(" *")
        if there.strip() and title.encode() not in there:
            raise RegistryError(
                f"{path} was not written by an export, and is left as it is; rename it, or name"
                " another folder."
            )


def packed(folder: Traversable, name: str) -> str:
    """The text of a file of this folder: in an archive in the installed package, in a checkout the
    file itself.
    """
    archive = folder.joinpath(_ARCHIVE)
    if not archive.is_file():
        return folder.joinpath(name).read_text(encoding="utf-8")
    with archive.open("rb") as file, ZipFile(file) as opened:
        return opened.read(f"{__package__.replace('.', '/')}/{name}").decode()


def reader(name: str = FILE) -> str:
    """The text of the reader, untyped: any prompt, any variables; or of the file of that name."""
    from importlib.resources import files

    text = packed(files(__package__), name)
    if name != OBSERVE:
        return text
    from .secret_patterns import patterns_in_javascript

    head, rest = text.split(_PATTERNS)
    return f"{head}{_PATTERNS}{patterns_in_javascript()}{rest}"


def types(read: Document, env: str | None = None) -> str:
    """The interface `Prompts`: prompt name -> its variables.

    Versions that differ beside each other are a union.
    """
    lines = []
    for name, prompt in sorted(read["prompts"].items()):
        served = _served(prompt, env)
        if not served:
            continue
        versions = [
            (entry["number"], to_version(entry, f"{name} v{entry['number']}")) for entry in served
        ]
        shapes: dict[str, list[int]] = {}
        for number, version in versions:
            shapes.setdefault(_shape(version), []).append(number)
        text = "; ".join(f"v{', v'.join(map(str, numbers))}" for numbers in shapes.values())
        union = " | ".join(shapes)
        lines += [f"  /** {text} */", f"  {json.dumps(name)}: {union};"]
    if not lines:
        raise RegistryError(
            f"the registry serves nothing{f' in {env!r}' if env else ''}, so there is no prompt to"
            " type; promote a version first."
        )
    where = f"as {env} serves it" if env else "as any environment serves it"
    again = f"`promptops export --typescript DIR{f' --env {env}' if env else ''}`"
    return "\n".join(
        [
            f"/** What each prompt takes, {where}. Written by {again}. */",
            "export interface Prompts {",
            *lines,
            "}",
            "",
        ]
    )


def _served(prompt: Document, env: str | None) -> list[Document]:
    """The entries that an application may meet, oldest first."""
    ends = [
        environment["deployments"][-1]
        for name, environment in prompt.get("environments", {}).items()
        if env in (None, name)
    ]
    cited = {link["version"] for link in ends} | {
        link["canary"]["version"] for link in ends if link.get("canary")
    }
    found = [entry for entry in prompt["versions"] if entry["id"] in cited]
    return found or (prompt["versions"][-1:] if env is None else [])


def _shape(version: PromptVersion) -> str:
    """The object type of a version's variables."""
    fields = []
    for variable in version.variables:
        text = variable.description.replace("*/", "* /").replace("\n", " ")
        comment = f"/** {text} */ " if text else ""
        kind = _TYPES[variable.type]
        fields.append(
            f"{comment}{variable.name}{'' if variable.required else '?'}:"
            f" {kind}{'' if variable.required else ' | undefined'}"
        )
    if version.takes_history:
        fields.append("history?: readonly Message[] | undefined")
    return "{ " + "; ".join(fields) + " }" if fields else "Record<string, never>"
