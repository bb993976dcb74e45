"""What the registry file records, read."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING

from ..policy import Policy
from . import history
from .deployment import DeploymentEntry
from .file import RegistryFile, prompt_of
from .history import SavedEntry

if TYPE_CHECKING:
    from .document import Document

__all__ = ["RegistryRecord", "policy_in"]


def policy_in(read: Document, prompt: Document) -> Policy:
    """The policy of a prompt: its own, else the registry's."""
    return Policy.from_document(prompt["policy"] if "policy" in prompt else read.get("policy", {}))


class RegistryRecord:
    """What was saved and what was deployed, as the file has it at each look.

    Whatever reads raises RegistryCorrupt if the file is not a registry.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = RegistryFile(path)

    @property
    def path(self) -> str:
        """The registry file, absolute."""
        return self._file.path

    def names(self) -> tuple[str, ...]:
        """Every prompt, in order of name."""
        return tuple(sorted(self._file.read()["prompts"]))

    def versions(self, name: str) -> tuple[SavedEntry, ...]:
        """The saved versions of a prompt, oldest first; empty if nothing was saved under that
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

    def history(self, name: str, env: str) -> list[DeploymentEntry]:
        """Every deployment of an environment, oldest first; empty if there was none.

        Raises UnknownPrompt, or RegistryCorrupt if the chain was edited.
        """
        return list(history.deployments(prompt_of(self._file.read(), name), name, env))

    def serving(self, name: str, env: str, *, at: datetime | None = None) -> DeploymentEntry | None:
        """The deployment that serves an environment now, or served at a moment, or None."""
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
