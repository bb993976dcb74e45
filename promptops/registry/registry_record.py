"""What the registry file records, read; and how one more deployment gets into it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Conflict, NotDeployed
from ..evidence import Evidence
from ..policy import Policy
from ..redact import Redactor
from ..version import PromptVersion
from . import chain, history
from .deployment import Canary, Deployment
from .file import RegistryFile, prompt_of
from .history import SavedEntry
from .secret_free import cleaned

if TYPE_CHECKING:
    from .document import Document

__all__ = ["RegistryRecord", "policy_in"]


def policy_in(read: Document, prompt: Document) -> Policy:
    """The policy of a prompt: its own, else the registry's."""
    return Policy.from_document(prompt["policy"] if "policy" in prompt else read.get("policy", {}))


class RegistryRecord:
    """The record that an editor writes to: what was saved and deployed, and a chain's next link.

    clock: seconds since the epoch, for what is stamped on entries; order never rests on it.
    Whatever reads raises RegistryCorrupt where the file is not a registry; whatever writes leaves
    it as it was then.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._file = RegistryFile(path)
        self._clock = clock
        self._redactor = Redactor()

    @property
    def path(self) -> str:
        """The registry file, absolute."""
        return self._file.path

    def names(self) -> tuple[str, ...]:
        """Every prompt, in order of name."""
        return tuple(sorted(self._file.read()["prompts"]))

    def versions(self, name: str) -> tuple[SavedEntry, ...]:
        """The saved versions of a prompt, oldest first; empty where nothing was saved under that
        name.
        """
        read = self._file.read()
        return (
            tuple(SavedEntry(name, entry) for entry in prompt_of(read, name)["versions"])
            if name in read["prompts"]
            else ()
        )

    def environments(self, name: str) -> dict[str, int]:
        """Environment -> the number of the version that serves it (beside a canary: the rest of
        it).
        """
        read = self._file.read()
        if name not in read["prompts"]:
            return {}
        prompt = prompt_of(read, name)
        numbers = history.numbers(prompt)
        tails = {
            env: environment["deployments"][-1]["version"]
            for env, environment in sorted(prompt.get("environments", {}).items())
        }
        return {env: numbers[version] for env, version in tails.items() if version in numbers}

    def history(self, name: str, env: str) -> list[Deployment]:
        """Every deployment of an environment, oldest first; empty where there was none.

        Raises UnknownPrompt, or RegistryCorrupt where the chain was edited.
        """
        return list(history.deployments(prompt_of(self._file.read(), name), name, env))

    def serving(self, name: str, env: str, *, at: datetime | None = None) -> Deployment | None:
        """The deployment that serves an environment now, or served at a moment; None where there is
        none.
        """
        links = self.history(name, env)
        if at is not None:
            links = [
                link
                for link in links
                if datetime.fromisoformat(link.at).timestamp() <= at.timestamp()
            ]
        return links[-1] if links else None

    def policy(self, name: str | None = None) -> Policy:
        """The policy that holds for a prompt: its own, else the registry's, else the default one.

        None: the registry's.
        """
        read = self._file.read()
        prompt = read["prompts"].get(name) if name is not None else None
        return policy_in(read, prompt or {})

    def _number(self, read: Document, name: str, version: PromptVersion) -> int | None:
        prompt = read["prompts"].get(name)
        return (
            history.numbers(prompt_of(read, name)).get(version.id) if prompt is not None else None
        )

    def _now(self) -> str:
        return datetime.fromtimestamp(int(self._clock()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _link(self, version: str, kind: str, author: str, reason: str, **rest: Any) -> chain.Link:
        """A deployment as stored, unsealed; what is empty is left out."""
        link = {
            "version": version,
            "canary": None,
            "kind": kind,
            "at": self._now(),
            "author": author,
        }
        link |= {
            key: rest.get(key)
            for key in ("evidence", "forced", "unmet", "override", "undoes")
            if rest.get(key)
        }
        reason = cleaned(reason.strip(), "reason", self._redactor)
        if again := rest.get("again"):
            link["again"] = cleaned(str(again), "reason", self._redactor)
        return link | ({"reason": reason} if reason else {})

    def _append(
        self,
        name: str,
        env: str,
        link: chain.Link,
        before: Deployment | None,
        evidence: Evidence | None = None,
        force: bool = False,
    ) -> Deployment:
        """Seal a deployment onto a chain that still ends as it was read. Raises Conflict, naming
        who was first and when.

        force: evidence that cannot be written is one more point that is not met, and is not cited.
        """
        with self._file.writing() as read:
            links = history.deployments(prompt_of(read, name), name, env, whole=False)
            last = links[-1] if links else None
            if (last.digest if last else None) != (before.digest if before else None):
                who = (
                    f"{last.author or 'unknown'} made it serve {last.label} at {last.at}"
                    if last
                    else "it was emptied"
                )
                raise Conflict(
                    f"{env} of {name} changed meanwhile: {who}; look at that first, then try again."
                )
            if evidence is not None:
                try:
                    evidence.write(Path(os.path.realpath(self.path)))  # before what cites it
                except OSError as error:
                    if not force:
                        raise
                    unmet = [*link.get("unmet", ()), f"The evidence could not be written: {error}"]
                    link = {**link, "evidence": None, "forced": True, "unmet": unmet}
            return self._seal(read, name, env, link)

    def _seal(self, read: Document, name: str, env: str, link: chain.Link) -> Deployment:
        prompt = prompt_of(read, name)
        environments = prompt.get("environments", {})
        kept = {key: value for key, value in link.items() if value is not None}
        changed = {
            **prompt,
            "environments": {
                **environments,
                env: chain.append(name, env, environments.get(env), kept),
            },
        }
        self._put(read, name, changed)
        return history.deployments(changed, name, env, whole=False)[-1]

    def _put(self, read: Document, name: str, prompt: Document) -> None:
        self._file.put({**read, "prompts": {**read["prompts"], name: prompt}})

    def _canary(self, name: str, env: str) -> tuple[Deployment, Canary]:
        links = history.deployments(prompt_of(self._file.read(), name), name, env)
        if not links or links[-1].canary is None:
            raise NotDeployed(
                f"no canary of {name} runs in {env!r}; start one with promote(..., percent=10)."
            )
        return links[-1], links[-1].canary
