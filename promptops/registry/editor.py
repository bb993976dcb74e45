"""Writing the registry: save, promote, roll back, under a lock, compared with what was read, replaced whole.

- Content is stored once: saving it again writes nothing. A stored version is never changed.
- A promotion passes the gate, or is forced with a reason that stays in the history; promoting what serves changes nothing.
- A rollback asks nobody. Every change is one more deployment in its environment's chain.
- A change that raced another one on the same environment raises Conflict, which names who was first and when.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Conflict, NotDeployed, Refused
from ..evidence import Evidence
from ..policy import Policy
from ..version import PromptVersion
from . import chain, document, gate, history, needs
from .deployment import Canary, Deployment
from .entry import to_entry
from .file import RegistryFile, prompt_of
from .history import SavedEntry

if TYPE_CHECKING:
    from .document import Document

__all__ = ["Editor"]


class Editor:
    """The write side of one registry file; the file appears with the first save.

    clock: seconds since the epoch, for what is stamped on entries; order never rests on it. Whatever reads raises
    RegistryCorrupt where the file is no registry; whatever writes leaves it as it was then.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        self._file = RegistryFile(path)
        self._clock = clock

    @property
    def path(self) -> str:
        """The registry file, absolute."""
        return self._file.path

    # -- reading

    def names(self) -> tuple[str, ...]:
        """Every prompt, in order of name."""
        return tuple(sorted(self._file.read()["prompts"]))

    def versions(self, name: str) -> tuple[SavedEntry, ...]:
        """The saved versions of a prompt, oldest first; empty where nothing was saved under that name."""
        read = self._file.read()
        return tuple(SavedEntry(name, entry) for entry in prompt_of(read, name)["versions"]) if name in read["prompts"] else ()

    def environments(self, name: str) -> dict[str, int]:
        """Environment -> the number of the version that serves it (beside a canary: the rest of it)."""
        read = self._file.read()
        if name not in read["prompts"]:
            return {}
        prompt = prompt_of(read, name)
        numbers = history.numbers(prompt)
        tails = {env: environment["deployments"][-1]["version"] for env, environment in sorted(prompt.get("environments", {}).items())}
        return {env: numbers[version] for env, version in tails.items() if version in numbers}

    def history(self, name: str, env: str) -> list[Deployment]:
        """Every deployment of an environment, oldest first; empty where there was none.

        Raises UnknownPrompt, or RegistryCorrupt where the chain was edited.
        """
        return list(history.deployments(prompt_of(self._file.read(), name), name, env))

    def serving(self, name: str, env: str, *, at: datetime | None = None) -> Deployment | None:
        """The deployment that serves an environment now, or served at a moment; None where there is none."""
        links = self.history(name, env)
        if at is not None:
            links = [link for link in links if datetime.fromisoformat(link.at).timestamp() <= at.timestamp()]
        return links[-1] if links else None

    def policy(self, name: str | None = None) -> Policy:
        """The policy that holds for a prompt: its own, else the registry's, else the default one. None: the registry's."""
        read = self._file.read()
        prompt = read["prompts"].get(name) if name is not None else None
        return _policy(read, prompt or {})

    # -- saving

    def save(self, name: str, version: PromptVersion, note: str = "", author: str = "") -> int:
        """Store a version under the next number, and return that; content that is stored already keeps its number.

        Raises RegistryError for a name that is not allowed.
        """
        document.checked_name(name)
        known = self._number(self._file.read(), name, version)
        if known is not None:
            return known
        with self._file.writing() as read:
            known = self._number(read, name, version)
            if known is not None:
                return known
            prompt = prompt_of(read, name) if name in read["prompts"] else {"versions": []}
            number = max(history.numbers(prompt).values(), default=0) + 1
            entry = to_entry(version, number, note=note, author=author, created=self._now())
            self._put(read, name, {**prompt, "versions": [*prompt["versions"], entry]})
            return number

    def set_policy(self, policy: Policy | None, name: str | None = None) -> None:
        """Set the policy of one prompt, or with None the registry's; policy None removes it."""
        with self._file.writing() as read:
            holder = read if name is None else prompt_of(read, name)
            changed = {key: value for key, value in holder.items() if key != "policy"}
            if policy is not None:
                changed["policy"] = policy.document()
            if name is None:
                self._file.put(changed)
            else:
                self._put(read, name, changed)

    # -- deploying

    def promote(
        self,
        name: str,
        version: Any,
        env: str,
        *,
        evidence: Evidence | None = None,
        author: str,
        reason: str = "",
        force: bool = False,
        again: str = "",
        percent: float | None = None,
    ) -> Deployment:
        """Make an environment serve a saved version (a number, id, PromptVersion or saved one), if the gate lets it.

        force: past the gate, with a reason, marked for ever; again: why a version that was rolled back or followed by
        another is promoted once more on the same data; percent: as a canary for that share of the keys.
        What serves already changes nothing, nor does what a cell that runs again would repeat (that one warns); the
        deployment returned then has `changed` False. Raises Refused with every unmet point, or Conflict.
        """
        document.checked_name(env, "environment")
        if force and not reason.strip():
            raise Refused("a forced promotion needs a reason, which stays in the history; pass reason=.", ["force without a reason"])
        read = self._file.read()
        prompt = prompt_of(read, name)
        links = history.deployments(prompt, name, env)
        wanted = history.find(prompt, name, version)
        now = links[-1] if links else None
        if now is not None and (wanted.id == now.id or (percent is not None and now.canary and wanted.id == now.canary.id)):
            return replace(now, changed=False)
        running = now is not None and now.canary is not None and now.canary.id == wanted.id  # its canary: this finishes it
        told = "" if again.strip() or now is None or running else history.repeats(self.path, prompt, links, wanted, evidence)
        if told and now is not None:
            warnings.warn(f"{name} in {env} is unchanged: {told}", stacklevel=2)
            return replace(now, changed=False)
        _checked_canary(name, env, now, wanted, percent)
        request = gate.Request(
            name, env, wanted.number, wanted.version, _policy(read, prompt), links, history.served(prompt), needs.read(self.path)
        )
        unmet = [str(point) for point in gate.unmet(request, evidence)]
        if unmet and not force:
            raise Refused(f"{name} v{wanted.number} is not promoted to {env}:\n" + "\n".join(f"- {point}" for point in unmet), unmet)
        cited = evidence.digest if evidence is not None else None
        link = self._link(wanted.id, "promote", author, reason, evidence=cited, forced=bool(unmet), unmet=unmet, again=again.strip())
        if percent is not None and now is not None:
            link |= {"version": now.id, "kind": "canary", "canary": {"version": wanted.id, "percent": percent}}
        return self._append(name, env, link, now, evidence)

    def rollback(self, name: str, env: str, *, undo: Any = None, to: Any = None, author: str, reason: str = "") -> Deployment | None:
        """Make an environment serve an earlier version at once; nothing is asked, everything is logged.

        undo: act only while this version serves, else return None; to: the version to go back to, None for the last
        different one that served and was not rolled back itself. A running canary is ended first: the rest stays.
        Raises NotDeployed where there is nothing to go back to.
        """
        with self._file.writing() as read:
            prompt = prompt_of(read, name)
            links = history.deployments(prompt, name, env, whole=False)
            if not links:
                raise NotDeployed(f"{name} is not deployed in {env!r}; there is nothing to roll back.")
            now = links[-1]
            named = history.find(prompt, name, undo).id if undo is not None else None
            if named is not None and named not in (now.id, now.canary.id if now.canary else now.id):
                return None
            undone, target = history.target(prompt, name, links, named, to)
            if target == now.id and now.canary is None:
                return replace(now, changed=False)
            history.find(prompt, name, target).version  # noqa: B018 - refuses to go back to content that no loader serves
            return self._seal(read, name, env, self._link(target, "rollback", author, reason, undoes=undone))

    def widen(self, name: str, env: str, percent: float, *, author: str, reason: str = "") -> Deployment:
        """Change the share of the running canary; whoever is in it stays in as it grows. Raises NotDeployed where none runs."""
        now, canary = self._canary(name, env)
        _checked_percent(percent)
        if canary.percent == percent:
            return replace(now, changed=False)
        link = self._link(now.id, "canary", author, reason, evidence=now.evidence, forced=now.forced, unmet=list(now.unmet))
        return self._append(name, env, {**link, "canary": {"version": canary.id, "percent": percent}}, now)

    def finish(self, name: str, env: str, *, author: str, reason: str = "") -> Deployment:
        """Make the running canary serve everyone, on the evidence that it started with. Raises NotDeployed where none runs."""
        now, canary = self._canary(name, env)
        link = self._link(canary.id, "promote", author, reason, evidence=now.evidence, forced=now.forced, unmet=list(now.unmet))
        return self._append(name, env, link, now)

    def abort(self, name: str, env: str, *, author: str, reason: str = "") -> Deployment:
        """End the running canary: everyone gets what the rest had. Raises NotDeployed where none runs."""
        now, canary = self._canary(name, env)
        return self._append(name, env, self._link(now.id, "rollback", author, reason, undoes=canary.id), now)

    # -- how

    def _number(self, read: Document, name: str, version: PromptVersion) -> int | None:
        prompt = read["prompts"].get(name)
        return history.numbers(prompt_of(read, name)).get(version.id) if prompt is not None else None

    def _now(self) -> str:
        return datetime.fromtimestamp(int(self._clock()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _link(self, version: str, kind: str, author: str, reason: str, **rest: Any) -> chain.Link:
        """A deployment as stored, unsealed; what is empty is left out."""
        link = {"version": version, "canary": None, "kind": kind, "at": self._now(), "author": author}
        link |= {key: rest.get(key) for key in ("evidence", "forced", "unmet", "again", "undoes") if rest.get(key)}
        return link | ({"reason": reason.strip()} if reason.strip() else {})

    def _append(self, name: str, env: str, link: chain.Link, before: Deployment | None, evidence: Evidence | None = None) -> Deployment:
        """Seal a deployment onto a chain that still ends as it was read. Raises Conflict, naming who was first and when."""
        with self._file.writing() as read:
            links = history.deployments(prompt_of(read, name), name, env, whole=False)
            last = links[-1] if links else None
            if (last.digest if last else None) != (before.digest if before else None):
                who = f"{last.author or 'unknown'} made it serve {last.label} at {last.at}" if last else "it was emptied"
                raise Conflict(f"{env} of {name} changed meanwhile: {who}; look at that first, then try again.")
            if evidence is not None:
                evidence.write(Path(os.path.realpath(self.path)))  # before what cites it
            return self._seal(read, name, env, link)

    def _seal(self, read: Document, name: str, env: str, link: chain.Link) -> Deployment:
        prompt = prompt_of(read, name)
        environments = prompt.get("environments", {})
        kept = {key: value for key, value in link.items() if value is not None}
        changed = {**prompt, "environments": {**environments, env: chain.append(name, env, environments.get(env), kept)}}
        self._put(read, name, changed)
        return history.deployments(changed, name, env, whole=False)[-1]

    def _put(self, read: Document, name: str, prompt: Document) -> None:
        self._file.put({**read, "prompts": {**read["prompts"], name: prompt}})

    def _canary(self, name: str, env: str) -> tuple[Deployment, Canary]:
        links = history.deployments(prompt_of(self._file.read(), name), name, env)
        if not links or links[-1].canary is None:
            raise NotDeployed(f"no canary of {name} runs in {env!r}; start one with promote(..., percent=10).")
        return links[-1], links[-1].canary


def _policy(read: Document, prompt: Document) -> Policy:
    return Policy.from_document(prompt["policy"] if "policy" in prompt else read.get("policy", {}))


def _checked_percent(percent: float) -> None:
    if isinstance(percent, bool) or not isinstance(percent, (int, float)) or not 0.01 <= percent < 100:
        raise Refused(f"a canary of {percent!r} % is none; give a share from 0.01 to 99.99, or finish it for everyone.", ["percent"])


def _checked_canary(name: str, env: str, now: Deployment | None, wanted: SavedEntry, percent: float | None) -> None:
    """Raises Refused where a canary is asked for without an incumbent, or one of another version runs."""
    if percent is not None:
        _checked_percent(percent)
        if now is None:
            raise Refused(
                f"{env} of {name} serves nothing yet, so a canary has no rest; promote v{wanted.number} without percent.", ["canary"]
            )
    if now is not None and now.canary is not None and now.canary.id != wanted.id:
        running = f"v{now.canary.number} at {now.canary.percent:g} %"
        raise Refused(f"a canary of {name} runs in {env} ({running}); finish or abort it first, then promote v{wanted.number}.", ["canary"])
