"""How one more deployment gets into the registry file: stamped, sealed onto its chain, refused
where somebody else was first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import Conflict, NotDeployed
from ..evidence import Evidence
from ..redact import Redactor
from . import chain, history
from .deployment import Canary, DeploymentEntry
from .file import RegistryFile, prompt_of
from .secret_free import cleaned

if TYPE_CHECKING:
    from .document import Document

__all__ = ["ChainWriter", "WritesChains"]


class ChainWriter:
    """The next link of every environment's chain in one file.

    clock: seconds since the epoch, for what is stamped on entries; order never rests on it.
    """

    def __init__(self, file: RegistryFile, clock: Callable[[], float], redactor: Redactor) -> None:
        self._file = file
        self._clock = clock
        self._redactor = redactor

    def now(self) -> str:
        """The moment that is stamped on an entry."""
        return datetime.fromtimestamp(int(self._clock()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def link(self, version: str, kind: str, author: str, reason: str, **rest: Any) -> chain.Link:
        """A deployment as stored, unsealed; what is empty is left out."""
        link = {
            "version": version,
            "canary": None,
            "kind": kind,
            "at": self.now(),
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

    def append(
        self,
        name: str,
        env: str,
        link: chain.Link,
        before: DeploymentEntry | None,
        evidence: Evidence | None = None,
        force: bool = False,
    ) -> DeploymentEntry:
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
                    f"{env} of {name} changed meanwhile: {who}; review that change, then try again."
                )
            if evidence is not None:
                try:
                    evidence.write(Path(os.path.realpath(self._file.path)))  # before what cites it
                except OSError as error:
                    if not force:
                        raise
                    unmet = [*link.get("unmet", ()), f"The evidence could not be written: {error}"]
                    link = {**link, "evidence": None, "forced": True, "unmet": unmet}
            return self.seal(read, name, env, link)

    def seal(self, read: Document, name: str, env: str, link: chain.Link) -> DeploymentEntry:
        """Put a deployment at the end of its chain, within `writing`."""
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
        self.put(read, name, changed)
        return history.deployments(changed, name, env, whole=False)[-1]

    def put(self, read: Document, name: str, prompt: Document) -> None:
        """Put a prompt in the place of the one of its name, within `writing`."""
        self._file.put({**read, "prompts": {**read["prompts"], name: prompt}})

    def running_canary(self, name: str, env: str) -> tuple[DeploymentEntry, Canary]:
        """What serves beside the canary that runs, and the canary. Raises NotDeployed."""
        links = history.deployments(prompt_of(self._file.read(), name), name, env)
        if not links or links[-1].canary is None:
            raise NotDeployed(
                f"no canary of {name} runs in {env!r}; start one with promote(..., percent=10)."
            )
        return links[-1], links[-1].canary


class WritesChains(Protocol):
    """What has chains to write to, as an editor does."""

    @property
    def chains(self) -> ChainWriter:
        """The writer of its chains."""
