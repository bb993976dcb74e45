"""Two branches of one registry made one: the union of their versions, each environment from the
side that changed it.

Nothing is lost: every version of either side is in the result. Two contents under one number are
put in the order of their ids, the same whichever side merges; ids, which chains and evidence cite,
never change. An environment that both sides changed is a real conflict: it is reported with what
each side serves, and ours stays in the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RegistryCorrupt, RegistryError
from . import document
from .write_lock import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .document import Document

__all__ = ["Merged", "merge", "merge_files"]

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged document; notes: what was settled (numbers that moved); conflicts: what a person
    must decide. A sentence each.
    """

    document: Document
    notes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def merge(base: Document, ours: Document, theirs: Document) -> Merged:
    """Three-way merge of documents; `base` is their common ancestor, or an empty document."""
    notes: list[str] = []
    conflicts: list[str] = []
    if any("exported" in side for side in (base, ours, theirs)):
        raise RegistryError(
            "an export cannot be merged; merge the registries that it was made from."
        )
    prompts = {}
    for name in sorted(ours["prompts"].keys() | theirs["prompts"].keys()):
        sides = [side["prompts"].get(name, {"versions": []}) for side in (base, ours, theirs)]
        for side in sides:
            fault = document.prompt_fault(name, side)
            if fault:
                raise RegistryCorrupt(f"{fault}; fix that side first.")
        try:
            prompts[name] = _prompt(name, sides[0], sides[1], sides[2], notes, conflicts)
        except (TypeError, AttributeError, LookupError) as error:
            raise RegistryCorrupt(
                f"{name} cannot be merged: a version or deployment of one side does not have its"
                f" form ({type(error).__name__}); `promptops registry check` names it: fix that"
                " side first."
            ) from None
    merged: Document = {
        "promptops": max(side["promptops"] for side in (ours, theirs)),
        "prompts": prompts,
    }
    _settle(merged, "policy", (base, ours, theirs), "the registry's policy", conflicts)
    return Merged(merged, tuple(notes), tuple(conflicts))


def merge_files(base: str, ours: str, theirs: str) -> Merged:
    """Merge three files and write the result over `ours`: what git calls a merge driver (`%O %A
    %B`).

    Raises RegistryCorrupt, leaving the file, if a side is not a registry, or has an entry that
    is odd. The caller exits 1 if there are conflicts.
    """
    sides = [_read(path) for path in (base, ours, theirs)]
    merged = merge(sides[0], sides[1], sides[2])
    try:
        text = document.render(merged.document).encode()
    except UnicodeEncodeError:
        raise RegistryCorrupt(
            f"{ours} and {theirs} cannot be merged: a text holds half of a surrogate pair, which no"
            " file can; `promptops registry check` names it: fix that side first."
        ) from None
    replace(ours, text)
    return merged


def _read(path: str) -> Document:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise RegistryError(
            f"{path} cannot be read ({error.strerror}); give the three files of the merge."
        ) from None
    return document.parse(data, path) if data.strip() else document.empty()


def _prompt(
    name: str,
    base: Document,
    ours: Document,
    theirs: Document,
    notes: list[str],
    conflicts: list[str],
) -> Document:
    out: Document = {}
    _settle(out, "policy", (base, ours, theirs), f"the policy of {name}", conflicts)
    chains = [side.get("environments", {}) for side in (base, ours, theirs)]
    environments = {}
    for env in sorted(chains[1].keys() | chains[2].keys()):
        environments[env] = _chain(
            name, env, [side.get(env) for side in chains], (ours, theirs), conflicts
        )
    if environments:
        out["environments"] = environments
    lasts = [side["last"] for side in (ours, theirs) if "last" in side]
    if lasts:
        out["last"] = max(lasts)
    out["versions"] = _versions(name, base["versions"], ours["versions"], theirs["versions"], notes)
    return out


def _chain(
    name: str, env: str, sides: list[Any], prompts: tuple[Document, Document], conflicts: list[str]
) -> object:
    base, ours, theirs = sides
    if theirs is None or ours == theirs or theirs == base:
        return ours if ours is not None else theirs
    if ours is None or ours == base or _begins(theirs, ours):
        return theirs
    if not _begins(ours, theirs):
        wording = [
            _said(side, prompt) for side, prompt in zip((ours, theirs), prompts, strict=True)
        ]
        conflicts.append(
            f"{env} of {name} was changed on both sides: ours {wording[0]}; theirs {wording[1]}."
            " Ours stays in the file; promote or roll back again to have theirs."
        )
    return ours


def _begins(longer: Mapping[str, Any], shorter: Mapping[str, Any]) -> bool:
    """Whether the longer chain begins with the whole of the shorter one."""
    links = shorter["deployments"]
    return bool(longer["deployments"][: len(links)] == links)


def _said(environment: Mapping[str, Any], prompt: Document) -> str:
    last = environment["deployments"][-1]
    number = next(
        (entry["number"] for entry in prompt["versions"] if entry["id"] == last["version"]), None
    )
    canary = f" beside a canary at {last['canary']['percent']:g} %" if last.get("canary") else ""
    return (
        f"serves {f'v{number}' if number else last['version'][:11]}{canary} ({last['kind']} by"
        f" {last['author']} at {last['at']})"
    )


def _versions(
    name: str, base: list[Any], ours: list[Any], theirs: list[Any], notes: list[str]
) -> list[object]:
    """The union by content id: a version that one side discarded is back.

    What the base holds keeps its number; the rest follow by (number, id).
    """
    kept = {entry["id"]: entry for entry in base}
    for side in (
        theirs,
        ours,
    ):  # the content is equal; a note may have been reworded on one side, ours first
        kept |= {entry["id"]: entry for entry in side if entry["id"] in kept and entry not in base}
    new: dict[str, Any] = {}
    for entry in sorted(
        (entry for entry in (*ours, *theirs) if entry["id"] not in kept),
        key=lambda entry: (entry["number"], entry["id"]),
    ):
        new.setdefault(entry["id"], entry)
    out = sorted(kept.values(), key=lambda entry: entry["number"])
    last = out[-1]["number"] if out else 0
    for entry in new.values():
        number = max(entry["number"], last + 1)
        if number != entry["number"]:
            notes.append(
                f"{name} v{entry['number']} ({entry['id'][:11]}) is v{number} now: both sides had"
                " taken that number."
            )
        out.append({**entry, "number": number})
        last = number
    return out


def _settle(
    out: Document,
    key: str,
    sides: tuple[Document, Document, Document],
    what: str,
    conflicts: list[str],
) -> None:
    """One value by the three-way rule: the side that changed it; ours, and a conflict, where both
    did.
    """
    base, ours, theirs = (side.get(key, _ABSENT) for side in sides)
    chosen = theirs if ours == base else ours
    if ours != base and theirs not in (base, ours):
        conflicts.append(f"{what} was changed on both sides; ours stays in the file.")
    if chosen is not _ABSENT:
        out[key] = chosen
