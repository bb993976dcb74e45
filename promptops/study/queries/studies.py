"""Questions about which studies there are, and which of them hold which versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = [
    "LISTED",
    "all_heads",
    "count",
    "created_of",
    "earlier_study_of",
    "head_of",
    "heads_by_name",
    "id_of",
    "latest_study_of_each",
    "names",
    "newest_holding",
    "status_of",
    "studies_asking",
]

# Probes of drift monitors are found by their name, and never chosen or listed by themselves.
# A design that is not JSON is listed as well: as a study that cannot be read, which stops no other.
LISTED = "coalesce(case when json_valid(design) then design->>'$.role' end, '') <> 'probe'"
_HEAD = "select id, name, prompt, design, created_at from studies"
_HOLDING = (
    "select m.study_id from study_runs m join studies s on s.id = m.study_id "
    f"where m.version_id in (select unnest(?)) and {LISTED} group by m.study_id "
    "having count(distinct m.version_id) = ? order by max(s.created_at) desc limit 1"
)

Head = tuple[str, str, str, str, object]  # id, name, prompt, design as JSON, created


def all_heads(store: Store) -> list[Head]:
    """Every study, newest first."""
    return list(store.rows(f"{_HEAD} where {LISTED} order by created_at desc"))


def head_of(store: Store, id: str) -> Head | None:
    """The study of an id."""
    rows: list[Head] = list(store.rows(f"{_HEAD} where id = ?", [id]))
    return rows[0] if rows else None


def heads_by_name(store: Store, name: str) -> list[Head]:
    """The studies of a name, of an id, or whose id begins so (six characters or more), newest
    first.
    """
    return list(
        store.rows(
            f"{_HEAD} where id = ? or name = ? or (length(?) > 5 and starts_with(id, ?)) "
            "order by created_at desc",
            [name] * 4,
        )
    )


def names(store: Store) -> list[str]:
    """The names of all studies, newest first."""
    listed = f"select name from studies where {LISTED} order by created_at desc"
    return [row[0] for row in store.rows(listed)]


def count(store: Store) -> int:
    """How many studies there are."""
    return int(store.rows(f"select count(*) from studies where {LISTED}")[0][0])


def id_of(store: Store, study: str) -> str | None:
    """The id of the study of this id, else of the newest one of this name; None for neither."""
    rows = store.rows(
        "select id from studies where id = ? or name = ? order by id = ? desc, created_at desc"
        " limit 1",
        [study] * 3,
    )
    return str(rows[0][0]) if rows else None


def created_of(store: Store, id: str) -> str | None:
    """When a study was first started, UTC."""
    rows = store.rows("select created_at from studies where id = ?", [id])
    return str(rows[0][0]) if rows else None


def status_of(store: Store, id: str) -> str:
    """What a study's last event says: started, stopped, finished, ...; finished without one."""
    rows = store.rows("select arg_max(event, event_at) from study_events where study_id = ?", [id])
    return "finished" if rows[0][0] in (None, "settled") else str(rows[0][0])


def newest_holding(store: Store, versions: Sequence[str]) -> str | None:
    """The newest study that holds runs of every one of these versions."""
    wanted = list(dict.fromkeys(versions))
    rows = store.rows(_HOLDING, [wanted, len(wanted)])
    return str(rows[0][0]) if rows else None


def latest_study_of_each(
    store: Store, versions: Sequence[str], study: str | None = None
) -> dict[str, str]:
    """version -> its most recent study (or the one named); a version without a run is left out."""
    rows = store.rows(
        "select m.version_id, arg_max(m.study_id, s.created_at) from study_runs m "
        "join studies s on s.id = m.study_id where m.version_id in (select unnest(?)) "
        f"and (m.study_id = ? or (? is null and {LISTED})) group by m.version_id",
        [list(versions), study, study],
    )
    return {str(version): str(found) for version, found in rows}


def earlier_study_of(store: Store, version: str, study: str) -> str | None:
    """The newest study before this one that has other answers of a version."""
    rows = store.rows(
        "select m.study_id from study_runs m join studies s on s.id = m.study_id "
        "where m.version_id = ? and m.study_id <> ? "
        "and s.created_at <= (select max(created_at) from studies where id = ?) "
        f"and {LISTED} and m.run_id not in (select run_id from study_runs where study_id = ?) "
        "group by m.study_id order by max(s.created_at) desc limit 1",
        [version, study, study, study],
    )
    return str(rows[0][0]) if rows else None


def studies_asking(store: Store, versions: Sequence[str]) -> list[tuple[str, str, object]]:
    """(study, version, created) of every study that asked one of these versions, oldest first."""
    return list(
        store.rows(
            "select distinct m.study_id, m.version_id, s.created_at from study_runs m "
            "join studies s on s.id = m.study_id where m.version_id in (select unnest(?)) "
            f"and {LISTED} order by s.created_at, m.study_id, m.version_id",
            [list(versions)],
        )
    )
