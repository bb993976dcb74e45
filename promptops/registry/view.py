"""One reading of the file: what each environment serves, kept small, checked entry by entry when first asked for.

A content keeps the last deployment of each chain and the versions that it cites, not the whole document; whatever is
wrong with one prompt or chain is remembered against it and leaves the others alone. Contents and views are frozen: a
reader that holds one sees the same facts however late it looks at them; news is a new view, published by one assignment.
"""

from __future__ import annotations

import time

from ..errors import NotDeployed, RegistryCorrupt, RegistryNotFound, UnknownPrompt
from . import chain, document
from .entry import to_version
from .served import Served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Pair = tuple[str, str]

__all__ = ["Content", "Found", "Split", "Tail", "View", "read"]


class Tail:
    """The end of one chain: the last deployment, what seals it, and the entries that it cites."""

    __slots__ = ("digests", "entries", "environment", "position")

    def __init__(self, environment: dict[str, Any], versions: dict[str, Any]) -> None:
        links = environment["deployments"]
        last = links[-1]
        canary = last.get("canary")
        cited = [last["version"], *([canary["version"]] if canary else [])]
        before = links[-2]["digest"] if len(links) > 1 else (environment.get("earlier") or {}).get("digest")
        self.environment = {"deployments": [last], "earlier": {"digest": before}}
        self.entries = {key: versions[key] for key in cited if key in versions}
        self.position = chain.position(environment)
        self.digests = (before, last["digest"])

    @property
    def digest(self) -> str:
        """Of the last deployment."""
        return str(self.digests[1])


class Split:
    """Two arms of a canary; the key decides."""

    __slots__ = ("canary", "percent", "stable")

    def __init__(self, stable: Served, canary: Served, percent: float) -> None:
        self.stable, self.canary, self.percent = stable.on_arm("stable"), canary.on_arm("canary"), percent

    def pick(self, key: object) -> Served:
        """The arm of a key."""
        return self.canary if chain.in_canary(self.canary.name, self.canary.id, self.percent, key) else self.stable

    def held(self, reason: str, since: float) -> Split:
        """The same with both arms as last known good."""
        return Split(self.stable.held(reason, since), self.canary.held(reason, since), self.percent)


class _Fixed:
    """Fields are set once, while it is made."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} is fixed; publish a new one instead of setting {name!r}.")

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)


class Content(_Fixed):
    """What the bytes of a file say.

    prompts: name -> env -> Tail; faults: name -> what is wrong with that prompt; back: (name, env) -> why that environment
    went back. Nothing changes one once it is made.
    """

    __slots__ = ("back", "faults", "prompts")

    prompts: dict[str, dict[str, Tail]]
    faults: dict[str, str]
    back: dict[Pair, str]

    def __init__(
        self, prompts: dict[str, dict[str, Tail]], faults: dict[str, str] | None = None, back: dict[Pair, str] | None = None
    ) -> None:
        self._set(prompts=prompts, faults=faults or {}, back=back or {})

    def tail(self, name: str, env: str) -> Tail:
        """The end of the chain. Raises RegistryCorrupt, UnknownPrompt or NotDeployed, each naming what there is."""
        if name in self.faults:
            raise RegistryCorrupt(f"{self.faults[name]}; restore it from git.")
        environments = self.prompts.get(name)
        if environments is None:
            import difflib

            near = difflib.get_close_matches(str(name)[:128], self.prompts, n=3) or sorted(self.prompts)[:3]
            raise UnknownPrompt(
                f"no prompt {str(name)[:128]!r} in the registry; {'it holds ' + ', '.join(near) if near else 'it is empty'}."
            )
        found = environments.get(env)
        if found is None:
            serves = ", ".join(sorted(environments)) or "nowhere yet"
            raise NotDeployed(f"{name} is not deployed in {env!r}; it serves {serves}: promote a version there first.")
        return found

    def build(self, name: str, env: str, known: dict[str, Any]) -> tuple[Served | Split, str]:
        """What the environment serves, verified, and why its canary does not ("" where it does, or there is none).

        known: id -> verified (entry, version) to take where nothing changed; what was verified here is added.
        """
        found = self.tail(name, env)
        last = chain.tail(name, env, found.environment)
        stable = _serve(name, env, last["version"], found, known)
        canary = last.get("canary")
        if canary is None:
            return stable, ""
        try:
            return Split(stable, _serve(name, env, canary["version"], found, known), canary["percent"]), ""
        except RegistryCorrupt as error:  # the canary's version is bad: everyone gets the stable one
            return stable, str(error)


class Found:
    """What gets found out about one content, each pair by one atomic operation: the memory beside frozen facts.

    built: what gets return; refused: why not what the file says; copy: the saved copy's view, once it was looked for.
    """

    __slots__ = ("built", "copy", "refused")

    def __init__(self) -> None:
        self.built: dict[Pair, Any] = {}
        self.refused: dict[Pair, str] = {}
        self.copy: tuple[View | None] | None = None


class View(_Fixed):
    """What the loader knows between two looks at the file.

    signature: of the file as read, None where it is missing; content: what serves; fault: what is wrong with the file,
    None where nothing; since: time.monotonic at which it was last good, None while it is; stamp: of the bytes; recheck:
    when to look once more, None where there is no need; built: that of `found`, one step nearer to `get`.
    """

    __slots__ = ("built", "content", "fault", "found", "recheck", "signature", "since", "stamp")

    signature: object
    content: Content
    fault: RegistryNotFound | RegistryCorrupt | None
    since: float | None
    stamp: object
    recheck: float | None
    found: Found
    built: dict[Pair, Any]

    def __init__(
        self,
        signature: object,
        content: Content,
        *,
        fault: RegistryNotFound | RegistryCorrupt | None = None,
        since: float | None = None,
        stamp: object = None,
        recheck: float | None = None,
    ) -> None:
        self._set(signature=signature, content=content, fault=fault, since=since, stamp=stamp, recheck=recheck)
        self._remember(Found())

    def looked(self, signature: object, recheck: float | None) -> View:
        """The same after another look at a file whose bytes did not change; what was found out goes on to hold."""
        view = View(signature, self.content, fault=self.fault, since=self.since, stamp=self.stamp, recheck=recheck)
        view._remember(self.found)
        return view

    def afresh(self) -> View:
        """The same with nothing found out yet, for when what an application needs has changed."""
        return View(self.signature, self.content, fault=self.fault, since=self.since, stamp=self.stamp, recheck=self.recheck)

    def is_of(self, signature: object) -> bool:
        """Whether a file of this signature needs no look now."""
        recheck = self.recheck
        return signature == self.signature and (recheck is None or time.monotonic() < recheck)

    def _remember(self, found: Found) -> None:
        self._set(found=found, built=found.built)


def _serve(name: str, env: str, version_id: str, found: Tail, known: dict[str, Any]) -> Served:
    entry = found.entries.get(version_id)
    if entry is None:
        raise RegistryCorrupt(f"{name} in {env} serves {version_id[:11]}, which is not among its versions; restore the file from git.")
    before = known.get(version_id)
    if before is not None and before[0] == entry:
        version = before[1]
    else:
        version = to_version(entry, f"{name} v{entry.get('number')}" if isinstance(entry, dict) else name)
        known[version_id] = (entry, version)
    return Served(name, env, version, entry["number"])


def read(data: bytes, path: str, before: Content | None, *, forward: bool = False) -> Content:
    """What a file's bytes say, compared with what it said before. Raises RegistryCorrupt where it is no registry.

    forward: put the later ends of `before` in the place of those that went back, for who asked never to.
    """
    parsed = document.parse(data, path)
    closed = parsed["promptops"] <= document.FORM
    prompts: dict[str, dict[str, Tail]] = {}
    faults: dict[str, str] = {}
    for name, prompt in parsed["prompts"].items():
        fault = document.prompt_fault(name, prompt, closed=closed)
        if fault:
            faults[name] = fault
            continue
        try:
            versions = {entry["id"]: entry for entry in prompt["versions"]}
            prompts[name] = {env: Tail(environment, versions) for env, environment in prompt.get("environments", {}).items()}
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            faults[name] = f"prompt {name!r} is malformed ({type(error).__name__})"
    content = Content(prompts, faults)
    if before is None:
        return content
    back = _what_went_back(content, before, parsed)
    if forward:
        for name, env in back:
            if env in before.prompts.get(name, {}):
                prompts.setdefault(name, {})[env] = before.prompts[name][env]
    return Content(prompts, faults, back)


def _what_went_back(content: Content, before: Content, parsed: dict[str, Any]) -> dict[Pair, str]:
    back: dict[Pair, str] = {}
    for name, environments in before.prompts.items():
        if name in content.faults:
            continue
        for env, old in environments.items():
            new = content.prompts.get(name, {}).get(env)
            if new is not None and new.digest == old.digest:
                if (name, env) in before.back:
                    back[name, env] = before.back[name, env]
                continue
            if new is None:
                back[name, env] = f"{env} of {name} is gone from the file; it had {old.position} deployments"
            elif not _continues(parsed["prompts"][name]["environments"][env], new, old):
                back[name, env] = f"{env} of {name} went back from {old.position} deployments to {new.position}, or to other ones"
    return back


def _continues(environment: dict[str, Any], new: Tail, old: Tail) -> bool:
    if any(hasattr(link, "get") and link.get("digest") == old.digest for link in environment["deployments"]):
        return True
    earlier = environment.get("earlier") or {}
    return new.position > old.position and old.position <= int(earlier.get("count") or 0)
