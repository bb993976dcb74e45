"""Questions about runs and their attempts: which there are, and which of them are answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from ...failure_classes import FAILURES
from ...run import Attempt, Run

if TYPE_CHECKING:
    from ...store import Store
    from ...store.access import Fresh

__all__ = [
    "ANSWERED",
    "OUTCOMES",
    "answered_places",
    "attempts_of",
    "latest_answers",
    "older_than",
    "places_of",
    "reusable",
    "runs_of",
    "runs_where",
]

OUTCOMES = [name for name, kind in FAILURES.items() if kind == "outcome"]
ANSWERED = "(r.failure is null or r.failure in (select unnest(?)))"

_RUNS_AT_ONCE = 10_000
_MOMENT = "strftime({}, '%Y-%m-%dT%H:%M:%S.%f')"  # times as the values have them: texts


def _listed(value: type[Run | Attempt], alias: str) -> str:
    names = [f"{alias}.{field.name}" for field in fields(value)]
    return ", ".join(
        _MOMENT.format(name) if name.endswith(".started_at") else name for name in names
    )


_COLUMNS = _listed(Run, "r")
_ATTEMPT = _listed(Attempt, "a")


def reusable(store: Store) -> str:
    """The condition on `r` under which a run is an answer of the model to an equal question. One
    that came in with a file is that file's word, unless the store's setting takes it.
    """
    return ANSWERED if store.reuse_imported else f"{ANSWERED} and r.imported_from is null"


def runs_where(
    store: Store, condition: str, values: Sequence[object], *, fresh: Fresh = True
) -> list[Run]:
    """Runs by a condition of our own on `r`. fresh: see `Store.rows`."""
    asked = f"select {_COLUMNS} from runs r where {condition}"
    return [Run(*row) for row in store.rows(asked, list(values), fresh=fresh)]


def runs_of(store: Store, ids: Iterable[str], *, fresh: Fresh = True) -> Iterator[list[Run]]:
    """The runs of these ids, some thousand at a time so that many take little memory; those that
    the store has not are left out. fresh: see `Store.rows`.
    """
    wanted = sorted(ids)  # by time, as they are in the file: each portion reads its own stretch
    for start in range(0, len(wanted), _RUNS_AT_ONCE):
        part = wanted[start : start + _RUNS_AT_ONCE]
        condition = "r.id between ? and ? and r.id in (select unnest(?))"
        yield runs_where(
            store, condition, [part[0], part[-1], part], fresh=fresh if start == 0 else False
        )


def attempts_of(store: Store, run: str) -> list[Attempt]:
    """The attempts of a run, in order."""
    asked = f"select {_ATTEMPT} from attempts a where a.run_id = ? order by a.number"
    return [Attempt(*row) for row in store.rows(asked, [run])]


def latest_answers(store: Store, keys: Sequence[str]) -> dict[str, str]:
    """key -> id of the latest run that answered it, or failed by the model's own doing; what other
    processes recorded is looked for.
    """
    return dict(
        store.rows(
            "select r.key, arg_max(r.id, r.started_at) from runs r where r.key in (select"
            f" unnest(?)) and {reusable(store)} group by r.key",
            [list(keys), OUTCOMES],
            fresh="others",
        )
    )


def answered_places(store: Store, study: str) -> list[tuple[str, str, int, str]]:
    """(version, example, repeat, latest run) of each place of a study that is answered."""
    return list(
        store.rows(
            "select m.version_id, m.example_id, m.repeat, arg_max(r.id, r.started_at) from"
            f" study_runs m join runs r on r.id = m.run_id where m.study_id = ? and"
            f" {reusable(store)}"
            " group by all",
            [study, OUTCOMES],
        )
    )


def places_of(store: Store, study: str) -> list[tuple[str, str, str, int, str, bool]]:
    """(arm, version, example, repeat, run, whether that is an answer) of each place of a study."""
    return list(
        store.rows(
            "select m.arm, m.version_id, m.example_id, m.repeat, m.run_id, r.id is not null and"
            f" {ANSWERED} from study_runs m left join runs r on r.id = m.run_id where m.study_id"
            " = ?",
            [OUTCOMES, study],
        )
    )


def older_than(store: Store, before: str) -> bool:
    """Whether a run or a live call began before a moment (UTC, as the rows have it)."""
    asked = "SELECT 1 FROM {} WHERE started_at < ?::TIMESTAMP LIMIT 1"
    return any(store.rows(asked.format(table), [before]) for table in ("runs", "live"))
