"""Questions to one prompt's history: which version is meant, what served, where a rollback leads,
what a cell repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import NotDeployed, RegistryCorrupt, RegistryError
from ..evidence import Evidence
from ..markup import shorten
from ..version import PromptVersion
from . import chain
from .deployment import DeploymentEntry, of_chain
from .entry import to_version
from .gate import arm

__all__ = ["SavedEntry", "Word", "deployments", "find", "numbers", "repeats", "served", "target"]

Prompt = Mapping[str, Any]


class SavedEntry:
    """A version as the registry keeps it; `version` is verified when first asked for.

    number: its display number; id: its content id; created: UTC, ISO 8601.
    """

    __slots__ = ("_entry", "_prompt", "_version", "author", "created", "id", "note", "number")

    def __init__(self, prompt: str, entry: Mapping[str, Any]) -> None:
        self._prompt, self._entry = prompt, entry
        self._version: PromptVersion | None = None
        try:
            self.number, self.id = int(entry["number"]), str(entry["id"])
        except (TypeError, KeyError, ValueError):
            raise RegistryCorrupt(
                f"{prompt} holds a version without its number or id; restore it from git."
            ) from None
        self.note, self.created = str(entry.get("note", "")), str(entry.get("created", ""))
        self.author = shorten(entry.get("author", ""), 200)

    @property
    def version(self) -> PromptVersion:
        """The content. Raises RegistryCorrupt if it is not what its id says."""
        if self._version is None:
            self._version = to_version(self._entry, f"{self._prompt} v{self.number}")
        return self._version

    def __repr__(self) -> str:
        return f"<{self._prompt} v{self.number} {self.id[:11]}>"


def numbers(prompt: Prompt) -> dict[str, int]:
    """Content id -> display number. Raises RegistryCorrupt if an entry has not both."""
    found = {}
    for entry in prompt["versions"]:
        id, number = (
            (entry.get("id"), entry.get("number")) if isinstance(entry, dict) else (None, None)
        )
        if not isinstance(id, str) or not isinstance(number, int):
            raise RegistryCorrupt(
                "a version in the registry lacks its number or id; `promptops registry check` says"
                " which, restore it from git."
            )
        found[id] = number
    return found


def find(prompt: Prompt, name: str, wanted: object) -> SavedEntry:
    """The saved version that a number, "v2", the beginning of an id, a PromptVersion or a saved
    version means.
    """
    version = wanted if isinstance(wanted, PromptVersion) else getattr(wanted, "version", None)
    text = version.id if isinstance(version, PromptVersion) else str(wanted)
    numbers(prompt)  # so that each entry has what is read here
    for entry in prompt["versions"]:
        if text in (str(entry["number"]), f"v{entry['number']}") or (
            len(text) > 5 and entry["id"].startswith(text)
        ):
            return SavedEntry(name, entry)
    known = ", ".join(f"v{entry['number']}" for entry in prompt["versions"][-8:]) or "none yet"
    hint = "save it first" if isinstance(version, PromptVersion) else f"saved: {known}"
    raise RegistryError(f"{name} has no version {text[:40]!r}; {hint}.")


def deployments(
    prompt: Prompt, name: str, env: str, *, whole: bool = True
) -> tuple[DeploymentEntry, ...]:
    """The environment's chain, oldest first. whole: check every link, else the last.

    Raises RegistryCorrupt.
    """
    environment = prompt.get("environments", {}).get(env)
    if environment is None:
        return ()
    numbered = numbers(prompt)
    if whole:
        for fault in chain.faults(name, env, environment, set(numbered)):
            raise RegistryCorrupt(
                f"{fault}; restore it from git, or see `promptops registry check`."
            )
    else:
        chain.tail(name, env, environment)
    return of_chain(name, env, environment, numbered)


def served(prompt: Prompt) -> dict[str, frozenset[str]]:
    """Environment -> ids that served there and were not rolled back."""
    out = {}
    for env, environment in prompt.get("environments", {}).items():
        links = environment["deployments"]
        out[env] = frozenset(link["version"] for link in links) - chain.rolled_back(links).keys()
    return out


def target(
    prompt: Prompt, name: str, links: Sequence[DeploymentEntry], if_serving: str | None, to: object
) -> tuple[str, str]:
    """(what is undone, what serves then), as ids.

    Raises NotDeployed if there is nothing to go back to.
    """
    now = links[-1]
    if to is not None:
        wanted = find(prompt, name, to).id
        return (now.canary.id if now.canary and wanted == now.id else now.id), wanted
    if now.canary is not None and if_serving in (None, now.canary.id):
        return now.canary.id, now.id
    undone = chain.rolled_back(prompt["environments"][now.env]["deployments"])
    for link in reversed(links[:-1]):
        if link.id != now.id and link.id not in undone:
            return now.id, link.id
    raise NotDeployed(
        f"{name} has no earlier version in {now.env} to go back to from {now.label}; name one with"
        " to=, or promote another version."
    )


def repeats(
    registry: str,
    prompt: Prompt,
    links: Sequence[DeploymentEntry],
    wanted: SavedEntry,
    evidence: Evidence | None,
    word: Word,
) -> str:
    """Why promoting `wanted` would only repeat what was undone or followed by another version
    since; "" if it is new.

    New is what rests on data that were measured after that, and that no earlier deployment of the
    same version here rested on; or a word (an override, or the reason of a forced promotion) that
    was not used for this version here before: a cell that runs again says the same word. A forced
    promotion rests on its reason alone, whatever was measured.
    """
    running = (
        links[-1].canary is not None and links[-1].canary.id == wanted.id
    )  # then it is asked for everyone: that may be a repetition
    canaries = not running
    before = [
        link
        for link in links
        if wanted.id
        == (link.canary.id if link.kind == "canary" and link.canary and canaries else link.id)
    ]
    used = word.used(before)
    if not before or (word.text and not used):
        return ""
    undone = chain.rolled_back(prompt["environments"][links[-1].env]["deployments"]).get(wanted.id)
    since = undone["at"] if undone is not None else before[-1].until or links[-1].at
    same = evidence is not None and _rested_on(registry, before, evidence)
    forced_again = used and word.forced
    if evidence is not None and not same and not forced_again and _is_later(evidence, since):
        return ""
    promotes = f"the {word.what} {word.text!r} was used for it before, another " if used else ""
    promotes += 'override="reason" promotes it once more.'
    if undone is not None:
        why = f" ({shorten(undone['reason'], 500)})" if undone.get("reason") else ""
        return (
            f"v{wanted.number} was rolled back by {shorten(undone['author'], 200) or 'unknown'} at"
            f" {since}{why}, "
            f"and this promotion rests on nothing that was measured since; {promotes}"
        )
    last = links[-1]
    if running and last.canary is not None:
        return (
            f"v{wanted.number} served everyone here before, and is a canary for"
            f" {last.canary.percent:g} % since; {promotes}"
        )
    return (
        f"v{wanted.number} served here{' on the same data' if same else ''} until {since}, and"
        f" this promotion rests on nothing that was measured since; {last.label} serves since"
        f" {last.at}, by {last.author or 'unknown'}. Roll back to return to v{wanted.number}, or"
        f" say why: {promotes}"
    )


class Word(NamedTuple):
    """What lets a step be taken once more: the text of an override, else the reason of a forced
    promotion.
    """

    text: str
    forced: bool

    @classmethod
    def of(cls, override: str, force: bool, reason: str) -> Word:
        """The word of a promotion; its text is "" if it gives none."""
        given = override.strip()
        return cls(given or (reason.strip() if force else ""), force and not given)

    @property
    def what(self) -> str:
        return "reason" if self.forced else "override"

    def used(self, links: Sequence[DeploymentEntry]) -> bool:
        """Whether one of these deployments was made with the same word."""
        return bool(self.text) and any(
            self.text == (link.reason if self.forced else link.override) for link in links
        )


def _rested_on(registry: str, before: Sequence[DeploymentEntry], evidence: Evidence) -> bool:
    """Whether an earlier deployment cites the same data; True too where its bundle cannot be read,
    as nothing shows the data to be new.
    """
    own = None
    for link in before:
        if link.evidence is None:
            continue
        if link.evidence == evidence.digest:
            return True
        own = own or arm(evidence)
        try:
            if arm(Evidence.read(Path(registry), link.evidence)) == own:
                return True
        except (RegistryCorrupt, OSError):
            return True
    return False


def _is_later(evidence: Evidence, at: str) -> bool:
    """Whether evidence was measured after a moment of the chain, which is in whole seconds; where
    it does not say when, its data decide.
    """
    try:
        made, moment = (
            datetime.fromisoformat(text) for text in (evidence.measured_at or evidence.made_at, at)
        )
    except ValueError:
        return True
    made, moment = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in (made, moment))
    return int(made.timestamp()) > moment.timestamp()
