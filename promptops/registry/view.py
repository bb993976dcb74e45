"""One reading of the file: what each environment serves, kept small, checked entry by entry when first asked for.

A view keeps the last deployment of each chain and the versions that it cites, not the whole document; whatever is
wrong with one prompt or chain is remembered against it and leaves the others alone.
"""

from __future__ import annotations

from ..errors import NotDeployed, RegistryCorrupt, RegistryNotFound, UnknownPrompt
from . import chain, document
from .entry import to_version
from .served import Served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Pair = tuple[str, str]

__all__ = ["Split", "Tail", "View", "read"]


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


class View:
    """What the loader knows between two changes of the file.

    signature: of the file as read, None where it is missing; prompts: name -> env -> Tail; faults: name -> what is wrong
    with that prompt; fault: what is wrong with the file, None where nothing; since: time.monotonic at which the file was
    last good, None while it is; back: (name, env) -> why that environment went back; built: what gets return; refused:
    why not; recheck: when to look once more; stamp: of the bytes; copy: the saved copy's view, once it was looked for.
    """

    __slots__ = ("back", "built", "copy", "fault", "faults", "prompts", "recheck", "refused", "signature", "since", "stamp")

    def __init__(
        self,
        signature: object,
        prompts: dict[str, dict[str, Tail]],
        *,
        faults: dict[str, str] | None = None,
        fault: RegistryNotFound | RegistryCorrupt | None = None,
        since: float | None = None,
    ) -> None:
        self.signature = signature
        self.prompts = prompts
        self.faults = {} if faults is None else faults
        self.fault = fault
        self.since = since
        self.back: dict[Pair, str] = {}
        self.built: dict[Pair, Any] = {}
        self.refused: dict[Pair, str] = {}
        self.copy: tuple[View | None] | None = None
        self.recheck: float | None = None
        self.stamp: object = None

    def keep_forward(self, before: View) -> None:
        """Put the later ends of `before` in the place of those that went back, for who asked never to."""
        for name, env in self.back:
            if env in before.prompts.get(name, {}):
                self.prompts.setdefault(name, {})[env] = before.prompts[name][env]

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

    def build(self, name: str, env: str, known: dict[str, Any]) -> Served | Split:
        """What the environment serves, verified. `known`: id -> verified (entry, version) to take where nothing changed."""
        found = self.tail(name, env)
        last = chain.tail(name, env, found.environment)
        stable = self._serve(name, env, last["version"], found, known)
        canary = last.get("canary")
        if canary is None:
            return stable
        try:
            return Split(stable, self._serve(name, env, canary["version"], found, known), canary["percent"])
        except RegistryCorrupt as error:  # the canary's version is bad: everyone gets the stable one
            self.refused[name, env] = str(error)
            return stable

    def _serve(self, name: str, env: str, version_id: str, found: Tail, known: dict[str, Any]) -> Served:
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


def read(signature: object, data: bytes, path: str, before: View | None) -> View:
    """The view of a file's bytes, compared with the one before. Raises RegistryCorrupt where it is no registry."""
    parsed = document.parse(data, path)
    closed = parsed["promptops"] <= document.FORM
    prompts: dict[str, dict[str, Tail]] = {}
    faults: dict[str, str] = {}
    view = View(signature, prompts, faults=faults)
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
    if before is not None:
        _note_what_went_back(view, before, parsed)
    return view


def _note_what_went_back(view: View, before: View, parsed: dict[str, Any]) -> None:
    for name, environments in before.prompts.items():
        if name in view.faults:
            continue
        for env, old in environments.items():
            new = view.prompts.get(name, {}).get(env)
            if new is not None and new.digest == old.digest:
                if (name, env) in before.back:
                    view.back[name, env] = before.back[name, env]
                continue
            if new is None:
                view.back[name, env] = f"{env} of {name} is gone from the file; it had {old.position} deployments"
            elif not _continues(parsed["prompts"][name]["environments"][env], new, old):
                view.back[name, env] = f"{env} of {name} went back from {old.position} deployments to {new.position}, or to other ones"


def _continues(environment: dict[str, Any], new: Tail, old: Tail) -> bool:
    if any(hasattr(link, "get") and link.get("digest") == old.digest for link in environment["deployments"]):
        return True
    earlier = environment.get("earlier") or {}
    return new.position > old.position and old.position <= int(earlier.get("count") or 0)
