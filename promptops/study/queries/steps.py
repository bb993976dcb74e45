"""Questions about the steps of promotions: what was asked for before, and on which answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from ...store import Store

__all__ = ["deployed_since", "measured_last", "steps_of"]


def deployed_since(
    store: Store, prompt: str, env: str | None, since: str
) -> list[tuple[datetime, str, int, str]]:
    """(when, environment, version's number, kind) of what began to serve, oldest first. env: None
    for any.
    """
    return list(
        store.rows(
            'SELECT "at", env, version, kind FROM deployments WHERE prompt = $prompt'
            ' AND ($env IS NULL OR env = $env) AND "at" >= $since::TIMESTAMP ORDER BY "at"',
            {"prompt": prompt, "env": env, "since": since},
        )
    )


def steps_of(
    store: Store, prompt: str, version: str, env: str
) -> list[tuple[str | None, str, datetime]]:
    """(study, document as JSON, when) of each recorded step of a version in an environment, newest
    first.
    """
    return list(
        store.rows(
            "select study_id, document, created_at from verdicts where prompt = ? and candidate = ?"
            ' and "env" = ? order by created_at desc',
            [prompt, version, env],
        )
    )


def measured_last(
    store: Store, versions: Sequence[str], scorers: Sequence[str], study: str | None
) -> datetime | None:
    """When the newest answer of these versions, or score of it by these scorers, came. study: None
    for any.
    """
    rows = store.rows(
        "select max(greatest(r.started_at, coalesce(s.scored_at, r.started_at))) from study_runs m"
        " join runs r on r.id = m.run_id left join scores s on s.run_id = r.id and s.scorer in"
        " (select unnest(?)) where m.version_id in (select unnest(?)) and (? is null or m.study_id"
        " = ?)",
        [list(scorers), list(versions), study, study],
    )
    found: datetime | None = rows[0][0] if rows else None
    return found
