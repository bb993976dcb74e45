"""What serves where as rows: the table that a history shows, and the view `deployments` of the
store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry
    from ..registry.editor import Editor

__all__ = ["COLUMNS", "deployment_rows", "rows_of"]

COLUMNS = (
    *("prompt", "env", "at", "version", "version_id", "kind", "author", "reason"),
    *("evidence", "forced", "percent", "duration_s"),
)


def rows_of(entries: Iterable[DeploymentEntry], prompt: str) -> Iterator[dict[str, Any]]:
    """One row per deployment of a prompt, with the columns of `COLUMNS`."""
    for entry in entries:
        yield {
            "prompt": prompt,
            "env": entry.env,
            "at": entry.at,
            "version": entry.number,
            "version_id": entry.id,
            "kind": entry.kind,
            "author": entry.author,
            "reason": entry.reason,
            "evidence": entry.evidence,
            "forced": entry.forced,
            "percent": entry.percent,
            "duration_s": entry.duration_s,
        }


def deployment_rows(registry: Editor) -> list[Mapping[str, object]]:
    """All deployments of a registry, prompt by prompt and environment by environment."""
    return [
        row
        for name in registry.names()
        for env in registry.environments(name)
        for row in rows_of(registry.history(name, env), name)
    ]
