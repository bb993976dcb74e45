"""One reading of the file: what each environment serves, kept small, checked entry by entry when
first asked for.

A content keeps the last deployment of each chain and the versions that it cites, not the whole
document; whatever is wrong with one prompt or chain is remembered against it and leaves the others
alone. Contents and views are frozen: a reader that holds one sees the same facts however late it
looks at them; news is a new view, published by one assignment.
"""

from __future__ import annotations

import time

from ..errors import NotDeployed, RegistryCorrupt, RegistryError, RegistryNotFound, UnknownPrompt
from . import chain, document
from .entry import to_version
from .served_version import Served
from .tail import CanarySplit, Fixed, Kept, Tail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Pair = tuple[str, str]

_NEVER = (-1, -1, -1, -1)  # the signature of no file
MISSES = 16  # names asked for in vain that one reading of the file remembers
LISTED = 100  # entries of one list in `health`, which something asks for every few seconds

__all__ = ["CanarySplit", "Content", "Found", "RegistryView", "Tail", "asked_for", "listed", "read"]


class Content(Fixed):
    """What the bytes of a file say.

    prompts: name -> env -> Tail; faults: name -> what is wrong with that prompt; back: (name, env)
    -> why that environment went back. Nothing changes one once it is made.
    """

    __slots__ = ("back", "faults", "prompts")

    prompts: dict[str, dict[str, Tail]]
    faults: dict[str, str]
    back: dict[Pair, str]

    def __init__(
        self,
        prompts: dict[str, dict[str, Tail]],
        faults: dict[str, str] | None = None,
        back: dict[Pair, str] | None = None,
    ) -> None:
        self._set(prompts=prompts, faults=faults or {}, back=back or {})

    def has(self, name: str, env: str) -> bool:
        """Whether there is such an environment of such a prompt."""
        return env in self.prompts.get(name, {})

    def tail(self, name: str, env: str) -> Tail:
        """The end of the chain.

        Raises RegistryCorrupt, UnknownPrompt or NotDeployed, each naming what there is.
        """
        if name in self.faults:
            raise RegistryCorrupt(f"{self.faults[name]}; restore it from git.")
        found = self.prompts.get(name, {}).get(env)
        if found is None:
            raise self.miss(name, env)
        return found

    def miss(self, name: str, env: str, *, near: bool = True) -> UnknownPrompt | NotDeployed:
        """The error for what the file does not have. near: search all names for similar ones,
        instead of naming the first.
        """
        environments = self.prompts.get(name)
        if environments is not None:
            serves = ", ".join(sorted(environments)) or "nowhere yet"
            return NotDeployed(
                f"{name} is not deployed in {str(env)[:128]!r}; it serves {serves}: promote a"
                " version there first."
            )
        named: list[str] = []
        if near:
            import difflib

            named = difflib.get_close_matches(str(name)[:128], self.prompts, n=3)
        named = named or [known for known, _ in zip(self.prompts, range(3), strict=False)]
        return UnknownPrompt(
            f"no prompt {str(name)[:128]!r} in the registry;"
            f" {'it holds ' + ', '.join(named) if named else 'it is empty'}."
        )

    def build(self, name: str, env: str, known: dict[str, Any]) -> tuple[Served | CanarySplit, str]:
        """What the environment serves, verified, and why its canary does not ("" if it does, or
        if no canary runs).

        known: id -> verified (entry, version) to take where nothing changed; what was verified here
            is added.
        """
        found = self.tail(name, env)
        last = chain.tail(name, env, found.environment)
        stable = _serve(name, env, last["version"], found, known)
        canary = last.get("canary")
        if canary is None:
            return stable, ""
        try:
            return (
                CanarySplit(
                    stable, _serve(name, env, canary["version"], found, known), canary["percent"]
                ),
                "",
            )
        except (
            RegistryCorrupt
        ) as error:  # the canary's version is bad: everyone gets the stable one
            return stable, str(error)


class Found:
    """What gets found out about one content, each pair by one atomic operation: the memory beside
    frozen facts.

    built: what gets return, env -> name -> it, which is found sooner than by a pair; refused: why
    not what the file says; missed: what was asked for and is not in the file, the first few, (name,
    env) as text -> the error's type and sentence; copy: the saved copy's view, once it was looked
    for.
    """

    __slots__ = ("built", "copy", "missed", "refused")

    def __init__(self) -> None:
        self.built: dict[str, dict[str, object]] = {}
        self.refused: dict[Pair, str] = {}
        self.missed: dict[Pair, tuple[type[UnknownPrompt] | type[NotDeployed], str]] = {}
        self.copy: tuple[RegistryView | None] | None = None


def asked_for(name: str) -> str:
    """The name of a prompt or environment as it was asked for; of a list or another value that no
    file can hold as a name, the name of its type.
    """
    try:
        hash(name)
    except TypeError:
        return f"<{type(name).__name__}>"
    return name


def listed(texts: dict[Pair, str], more: dict[str, str] | None = None) -> dict[str, str]:
    """`"prompt in env": text` for `health`, by name, and what else it lists; the first hundred, and
    how many there are beyond them.
    """
    found = {f"{name} in {env}": text for (name, env), text in sorted(texts.items())}
    found |= dict(sorted((more or {}).items()))
    beyond = len(found) - LISTED
    if beyond <= 0:
        return found
    shown = dict(list(found.items())[:LISTED])
    shown[f"and {beyond:,} more"] = "`python -m promptops.registry check` lists every fault"
    return shown


class RegistryView(Fixed):
    """What the loader knows between two looks at the file.

    signature: of the file as read, None if it is missing; content: what serves; fault: what is
    wrong with the file, None if nothing; since: time.monotonic at which it was last good, None
    while it is; stamp: of the bytes; recheck: when to look once more, None if there is no need;
    built: that of `found`, one step nearer to `get`; sure: the signature, as long as a file that
    has it needs no look.
    """

    __slots__ = (
        *("built", "content", "fault", "found", "recheck", "signature", "since", "stamp", "sure"),
    )

    signature: object
    content: Content
    fault: RegistryNotFound | RegistryCorrupt | None
    since: float | None
    stamp: object
    recheck: float | None
    found: Found
    built: dict[str, dict[str, Any]]
    sure: tuple[int, int, int, int]

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
        self._set(
            signature=signature,
            content=content,
            fault=fault,
            since=since,
            stamp=stamp,
            recheck=recheck,
            sure=signature if recheck is None and isinstance(signature, tuple) else _NEVER,
        )
        self._remember(Found())

    def miss(self, name: str, env: str) -> RegistryError:
        """The error for what is not in the content: the file's fault if it has one, else the
        same sentence every time.

        Names that do not exist may be any number, and each made by a request: the first few are
        remembered for `health` and searched for similar ones, which costs a look at every name; the
        others cost and keep nothing.
        """
        if self.fault is not None:
            return type(self.fault)(str(self.fault))
        missed, pair = self.found.missed, (str(name)[:128], str(env)[:128])
        known = missed.get(pair)
        if known is not None:
            return known[0](known[1])
        few = len(missed) < MISSES
        error = self.content.miss(name, env, near=few)
        if few:
            missed[pair] = (type(error), str(error))
        return error

    def looked(self, signature: object, recheck: float | None) -> RegistryView:
        """The same after another look at a file whose bytes did not change; what was found out goes
        on to hold.
        """
        view = RegistryView(
            signature,
            self.content,
            fault=self.fault,
            since=self.since,
            stamp=self.stamp,
            recheck=recheck,
        )
        view._remember(self.found)
        return view

    def afresh(self) -> RegistryView:
        """The same with nothing found out yet, for when what an application needs has changed."""
        return RegistryView(
            self.signature,
            self.content,
            fault=self.fault,
            since=self.since,
            stamp=self.stamp,
            recheck=self.recheck,
        )

    def is_of(self, signature: object) -> bool:
        """Whether a file of this signature needs no look now."""
        recheck = self.recheck
        return signature == self.signature and (recheck is None or time.monotonic() < recheck)

    def _remember(self, found: Found) -> None:
        self._set(found=found, built=found.built)


def _serve(name: str, env: str, version_id: str, found: Tail, known: dict[str, Any]) -> Served:
    entry = found.entries.get(version_id)
    if entry is None:
        raise RegistryCorrupt(
            f"{name} in {env} serves {version_id[:11]}, which is not among its versions; restore"
            " the file from git."
        )
    before = known.get(version_id)
    if before is not None and before[0] == entry:
        version = before[1]
    else:
        version = to_version(
            entry, f"{name} v{entry.get('number')}" if isinstance(entry, dict) else name
        )
        known[version_id] = (entry, version)
    return Served(name, env, version, entry["number"])


def read(data: bytes, path: str, before: Content | None, *, forward: bool = False) -> Content:
    """What a file's bytes say, compared with the view before. Raises RegistryCorrupt if it is
    not a registry.

    forward: put the later ends of `before` in the place of those that went back, for callers that
    asked never to go back.
    """
    parsed = document.parse(data, path, Kept)
    closed = parsed["promptops"] <= document.FORM
    prompts: dict[str, dict[str, Tail]] = {}
    faults: dict[str, str] = {}
    for name, kept in parsed["prompts"].items():
        fault = kept.closed_fault if closed else kept.fault
        if fault:
            faults[name] = fault
        else:
            prompts[name] = kept.tails
    if before is None:
        return Content(prompts, faults)
    back: dict[Pair, str] = {}
    for name, environments in before.prompts.items():
        if name in faults:  # what is behind the fault is compared once it is gone
            prompts[name] = environments
            back |= {pair: text for pair, text in before.back.items() if pair[0] == name}
            continue
        for env, old in environments.items():
            new = prompts.get(name, {}).get(env)
            text = _went_back(name, env, old, new, parsed)
            if forward and not text and new is not None and new.digest != old.digest:
                text = faults[f"{name} in {env}"] = _damage(name, env, new)
            if not text and not forward and new is not None and new.digest == old.digest:
                text = before.back.get((name, env), "")  # still where it went back to
            if text:
                back[name, env] = text
            if text and forward:
                prompts.setdefault(name, {})[env] = old
    return Content(prompts, {name: fault for name, fault in faults.items() if fault}, back)


def _went_back(name: str, env: str, old: Tail, new: Tail | None, parsed: dict[str, Any]) -> str:
    """How an environment went back from one reading to the next, "" if it did not."""
    had = f"{old.position} deployment{'' if old.position == 1 else 's'}"
    if new is None:
        return f"{env} of {name} is gone from the file; it had {had}"
    if new.digest == old.digest or _continues(parsed["prompts"][name].environments[env], new, old):
        return ""
    return f"{env} of {name} went back from {had} to {new.position}, or to other ones"


def _damage(name: str, env: str, new: Tail) -> str:
    """What is wrong with the end of a chain, "" if nothing: a damaged one is not kept as
    progress.
    """
    try:
        chain.tail(name, env, new.environment)
    except RegistryCorrupt as error:
        return str(error).removesuffix("; restore it from git.")
    return ""


def _continues(environment: dict[str, Any], new: Tail, old: Tail) -> bool:
    if any(
        hasattr(link, "get") and link.get("digest") == old.digest
        for link in environment["deployments"]
    ):
        return True
    earlier = environment.get("earlier") or {}
    return new.position > old.position and old.position <= int(earlier.get("count") or 0)
