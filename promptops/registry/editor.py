"""Writing the registry: save, promote, roll back, under a lock, compared with what was read,
replaced whole.

- Content is stored once: saving it again writes nothing. A stored version is never changed.
- A promotion passes the gate, or is forced with a reason that stays in the history; promoting what
    serves changes nothing.
- A rollback asks nobody. Every change is one more deployment in its environment's chain.
- A change that raced another one on the same environment raises Conflict, which names who was first
    and when.
"""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ..errors import NotDeployed, PromptOpsError, Refused, RegistryError
from ..evidence import Evidence
from ..policy import Policy
from ..redact import Redactor
from ..version import PromptVersion
from . import canary_steps, chain, document, gate, history, needs
from .asked import checked_force, checked_percent, in_the_way
from .chain_writer import ChainWriter
from .deployment import DeploymentEntry
from .entry import to_entry
from .file import prompt_of
from .gate import GateRequest
from .history import SavedEntry, Word
from .registry_record import RegistryRecord, policy_in
from .secret_free import checked_content, checked_new_name, cleaned, cleaned_policy

if TYPE_CHECKING:
    from .document import Document

__all__ = ["Editor"]


class Step(NamedTuple):
    """A promotion that is asked for, over what the registry held when it was read."""

    name: str
    env: str
    read: Document
    prompt: Document
    links: Sequence[DeploymentEntry]
    wanted: SavedEntry
    percent: float | None

    @property
    def now(self) -> DeploymentEntry | None:
        return self.links[-1] if self.links else None

    @property
    def serves(self) -> bool:
        """Whether the version serves already, or is the canary that a canary is asked for."""
        now, wanted = self.now, self.wanted.id
        return now is not None and (
            wanted == now.id
            or (self.percent is not None and now.canary is not None and wanted == now.canary.id)
        )

    def as_canary(self) -> Document:
        """What makes it a canary beside what serves; empty if it is for everyone."""
        if self.percent is None or self.now is None:
            return {}
        canary = {"version": self.wanted.id, "percent": self.percent}
        return {"version": self.now.id, "kind": "canary", "canary": canary}


class Editor(RegistryRecord):
    """The write side of one registry file; the file appears with the first save.

    clock: seconds since the epoch, for what is stamped on entries; order never rests on it.
    Whatever reads raises RegistryCorrupt if the file is not a registry; whatever writes leaves
    it as it was then.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(path)
        self._redactor = Redactor()
        self.chains = ChainWriter(self._file, clock, self._redactor)

    # -- saving

    def save(self, name: str, version: PromptVersion, note: str = "", author: str = "") -> int:
        """Store a version under the next number, and return that; content that is stored already
        keeps its number.

        Raises RegistryError for a name that is not allowed, VersionError for content that holds a
        secret.
        """
        document.checked_name(name)
        there = self._file.read()
        known = self._number(there, name, version)
        if known is not None:
            return known
        checked_new_name(name, there, self._redactor)
        checked_content(name, version, self._redactor)
        note = cleaned(note, "note", self._redactor)
        with self._file.writing() as read:
            known = self._number(read, name, version)
            if known is not None:
                return known
            prompt = prompt_of(read, name) if name in read["prompts"] else {"versions": []}
            number = int(max([prompt.get("last", 0), *history.numbers(prompt).values()])) + 1
            entry = to_entry(version, number, note=note, author=author, created=self.chains.now())
            self.chains.put(read, name, {**prompt, "versions": [*prompt["versions"], entry]})
            return number

    @contextlib.contextmanager
    def bulk(self) -> Iterator[None]:
        """One write of the file for everything that this thread saves until the block ends, also
        when it ends by an error: for some thousand versions at once.

        Others who write meanwhile wait, and raise Conflict if that takes too long.
        """
        with self._file.bulk():
            yield

    def discard(self, name: str, version: object) -> SavedEntry:
        """Take a version that never served out of the registry; its number is not given again.

        Args:
            name: the prompt.
            version: its number, "v2", the beginning of its id, or the version itself.

        Returns:
            What was discarded. Its runs and scores stay in the store, by the id of its content.

        Raises:
            RegistryError: the version does not exist, or it serves or has served an environment.
        """
        with self._file.writing() as read:
            prompt = prompt_of(read, name)
            entry = history.find(prompt, name, version)
            served = sorted(
                env
                for env, found in prompt.get("environments", {}).items()
                if any(entry.id in chain.cited(link) for link in found["deployments"])
            )
            if served or read.get("exported"):
                where = ", ".join(served) or "the registry that this file was exported from"
                raise RegistryError(
                    f"v{entry.number} of {name} is part of the history of {where}, so that it"
                    " cannot be discarded; save and promote another version instead."
                )
            rest = [kept for kept in prompt["versions"] if kept["id"] != entry.id]
            last = max([prompt.get("last", 0), *history.numbers(prompt).values()])
            higher = max((kept["number"] for kept in rest), default=0)
            mark = {"last": last} if last > higher else {}
            self.chains.put(read, name, {**prompt, **mark, "versions": rest})
            return entry

    def set_policy(self, policy: Policy | None, name: str | None = None) -> None:
        """Set the policy of one prompt, or with None the registry's; policy None removes it."""
        with self._file.writing() as read:
            holder = read if name is None else prompt_of(read, name)
            changed = {key: value for key, value in holder.items() if key != "policy"}
            if policy is not None:
                changed["policy"] = cleaned_policy(policy, self._redactor).document()
            if name is None:
                self._file.put(changed)
            else:
                self.chains.put(read, name, changed)

    # -- deploying

    def promote(
        self,
        name: str,
        version: object,
        env: str,
        *,
        evidence: Evidence | None = None,
        author: str,
        reason: str = "",
        force: bool = False,
        override: str = "",
        percent: float | None = None,
        found: Sequence[str] = (),
    ) -> DeploymentEntry:
        """Make an environment serve a saved version (a number, id, PromptVersion or saved one), if
        the gate lets it.

        force: past the gate, with a reason, marked forever; override: why a version that was
        rolled back or followed by another is promoted once more on the same data, once; percent: as
        a canary for that share of the keys; found: further points that are not met, known to who
        asks. What serves already changes nothing, nor does what a cell that runs again would repeat
        (that one warns, and is the `note`); the deployment returned then has `changed` False.
        Raises Refused with every unmet point, or Conflict.
        """
        document.checked_name(env, "environment")
        checked_force(force, reason)
        checked_percent(percent)
        word = Word.of(override, force, reason)
        step = self._step(name, version, env, percent)
        now, wanted = step.now, step.wanted
        if now is not None and step.serves:
            return replace(now, changed=False)
        held = self._held(step, evidence, word)
        if held and now is not None:
            warnings.warn(f"{name} in {env} is unchanged: {held}", stacklevel=2)
            return replace(now, changed=False, note=held)
        blocked = in_the_way(name, env, now, wanted, percent)
        if blocked:
            raise Refused(blocked, ["canary"])
        unmet = list(dict.fromkeys([*found, *self._unmet(step, evidence, force)]))
        if unmet and not force:
            raise Refused(
                f"{name} v{wanted.number} is not promoted to {env}:\n"
                + "\n".join(f"- {point}" for point in unmet),
                unmet,
            )
        cited = evidence.digest if evidence is not None else None
        link = self.chains.link(
            wanted.id,
            "promote",
            author,
            reason,
            evidence=cited,
            forced=bool(unmet),
            unmet=unmet,
            override=override.strip(),
        )
        link |= step.as_canary()
        return self.chains.append(name, env, link, now, evidence, force)

    def gate(
        self,
        name: str,
        version: object,
        env: str,
        *,
        evidence: Evidence | None = None,
        override: str = "",
        percent: float | None = None,
        found: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Every point for which `promote` with the same arguments would be refused or change
        nothing; empty if it would go ahead, and for what serves already. Changes nothing.
        """
        step = self._step(name, version, env, percent)
        if step.serves:
            return ()
        text = [
            self._held(step, evidence, Word.of(override, False, "")),
            in_the_way(name, env, step.now, step.wanted, percent),
        ]
        return tuple(
            point for point in [*text, *found, *self._unmet(step, evidence, False)] if point
        )

    def terms(self, name: str, version: object, env: str) -> str:
        """64 hex digits of what a refusal rests on beside its evidence and the history of `env`;
        see `gate.terms`.
        """
        step = self._step(name, version, env, None)
        return gate.terms(self._request(step))

    def rollback(
        self,
        name: str,
        env: str,
        *,
        if_serving: object = None,
        to: object = None,
        author: str,
        reason: str = "",
    ) -> DeploymentEntry | None:
        """Make an environment serve an earlier version at once; nothing is asked, everything is
        logged.

        if_serving: act only while this version serves, else return None; to: the version to go
        back to, None for the last different one that served and was not rolled back itself. A
        running canary is ended first: the rest stays. `note` of the entry says which registered
        consumer the version breaks. Raises NotDeployed if there is nothing to
        go back to.
        """
        with self._file.writing() as read:
            prompt = prompt_of(read, name)
            links = history.deployments(prompt, name, env, whole=False)
            if not links:
                raise NotDeployed(
                    f"{name} is not deployed in {env!r}; there is nothing to roll back."
                )
            now = links[-1]
            named = history.find(prompt, name, if_serving).id if if_serving is not None else None
            if named is not None and named not in (now.id, now.canary.id if now.canary else now.id):
                return None
            undone, target = history.target(prompt, name, links, named, to)
            if target == now.id and now.canary is None:
                return replace(now, changed=False)
            # refuses to go back to content that no loader serves
            note = needs.broken_by(self.path, name, history.find(prompt, name, target).version)
            link = self.chains.link(target, "rollback", author, reason, undoes=undone)
            return replace(self.chains.seal(read, name, env, link), note=note)

    widen = canary_steps.widen
    finish = canary_steps.finish
    abort = canary_steps.abort

    # -- how

    def _number(self, read: Document, name: str, version: PromptVersion) -> int | None:
        prompt = read["prompts"].get(name)
        return (
            history.numbers(prompt_of(read, name)).get(version.id) if prompt is not None else None
        )

    def _step(self, name: str, version: object, env: str, percent: float | None) -> Step:
        read = self._file.read()
        prompt = prompt_of(read, name)
        links = history.deployments(prompt, name, env)
        return Step(name, env, read, prompt, links, history.find(prompt, name, version), percent)

    def _held(self, step: Step, evidence: Evidence | None, word: Word) -> str:
        """Why the step would only repeat an earlier one; "" if it would not."""
        return (
            ""
            if step.now is None
            else history.repeats(self.path, step.prompt, step.links, step.wanted, evidence, word)
        )

    def _request(self, step: Step) -> GateRequest:
        wanted, policy = step.wanted, policy_in(step.read, step.prompt)
        served, known = history.served(step.prompt), needs.read(self.path)
        return GateRequest(
            step.name, step.env, wanted.number, wanted.version, policy, step.links, served, known
        )

    def _unmet(self, step: Step, evidence: Evidence | None, force: bool) -> list[str]:
        """What the gate says; forced past it, a gate that cannot be asked is one more point: the
        emergency door opens under fault.
        """
        try:
            return [str(point) for point in gate.unmet(self._request(step), evidence)]
        except (PromptOpsError, OSError) as error:
            # content that no loader serves is not promoted, forced or not
            step.wanted.version  # noqa: B018
            if not force:
                raise
            return [f"The gate could not be asked: {error}"]
