"""The recorded runs and scores of some arms, one row per example, joined by the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import StudyError
from ...failure_classes import FAILURES
from ..study_record import ScorerRef

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...store import Store

__all__ = ["ArmRows", "Columns", "Source", "repeats_of", "versions_read"]


# (study id, version id, label): where an arm's runs are
Source = tuple[str, str, str]
Columns = dict[str, "NDArray[Any]"]
_ARMS = (
    "arms as (select unnest($studies) as study_id, unnest($versions) as version_id,"
    " unnest($numbers)::int as arm)"
)


_LINKED = """select a.arm, m.example_id, m.example_fingerprint as print, m.repeat, m.run_id
  from study_runs m join arms a on m.study_id = a.study_id and m.version_id = a.version_id"""


# One row per place: its answered run where there is one, else its last failed one; one that was
# asked here before one that came in with a file.
_LATEST = f"""select l.arm, l.example_id, l.print, l.repeat,
         arg_max(r.id, (r.failure is null or r.failure in (select unnest($outcomes)),
           r.imported_from is null, r.started_at)) as run_id
  from ({_LINKED}) l join runs r on r.id = l.run_id group by all"""


_OUTCOME = "case when s{0}.passed is null then s{0}.value else s{0}.passed::double end"
_SCORE = (
    "left join scores s{0} on s{0}.run_id = p.run_id and s{0}.example_fingerprint = p.print and"
    " s{0}.scorer = $name{0} and s{0}.scorer_version = $scorer_version{0}"
)


# A row that came with a file may hold anything: an impossible figure is unknown.
_POSSIBLE = "case when {0} >= 0 and {0} < 1e15 then {0} end"
_MEASURED = (
    ("cost", _POSSIBLE.format("r.cost_usd")),
    ("latency", _POSSIBLE.format("r.latency_ms")),
    ("tokens", _POSSIBLE.format("(r.tokens_in + r.tokens_out)::double")),
)


# One list of what came together, since six lists of distinct texts take twice as long as all the
# rest.
_FACTS = """min(r.started_at), max(r.started_at),
       list(distinct (r.system_fingerprint, r.model_returned, r.model, r.endpoint, r.role,
         r.imported_from)),
       sum(r.cost_usd), count(*) - count(r.cost_usd), quantile_cont(r.latency_ms, [.5, .95]),
       sum(r.tokens_in), sum(r.tokens_out), count(r.failure), histogram(r.failure),
       count(r.imported_from)"""
_TEXTS = ("fingerprints", "returned", "models", "endpoints", "sources", "files")  # in its order


def repeats_of(store: Store, sources: Sequence[Source]) -> int:
    """K: the most repeats of any place. Raises StudyError for a source without runs."""
    rows = store.rows(
        f"with {_ARMS} select a.arm, max(m.repeat) from study_runs m join arms a on m.study_id ="
        " a.study_id and m.version_id = a.version_id group by a.arm",
        _values(sources),
    )
    found = {int(arm): int(repeat) for arm, repeat in rows}
    for place, (_, _, label) in enumerate(sources):
        if place not in found:
            raise StudyError(f"{label} has no runs in this study; evaluate it first.")
    return max(found.values()) + 1


def _values(sources: Sequence[Source]) -> dict[str, Any]:
    return {
        "studies": [study for study, _, _ in sources],
        "versions": [version for _, version, _ in sources],
        "numbers": list(range(len(sources))),
    }


class ArmRows:
    """The places of some sources. A place that was asked again after a failure has several runs:
    the one that counts is looked for only if that happened, since it takes as long as all the
    rest.
    """

    def __init__(self, store: Store, sources: Sequence[Source], repeats: int) -> None:
        self._store, self._sources, self._repeats = store, sources, repeats
        self._again = False

    def examples(self, scorer_versions: Sequence[Mapping[str, str]]) -> list[Columns]:
        """Columns of each source, a row per example by id: print (a number that means its
        content), attempted, and per measure and scorer mean, count, variance, binary.
        """
        frames: dict[int, Columns] = {}
        alike: dict[tuple[tuple[str, str], ...], list[int]] = {}
        for place, scorer_version in enumerate(scorer_versions):
            alike.setdefault(tuple(scorer_version.items()), []).append(place)
        for chosen, places in alike.items():
            whole = self._asked(dict(chosen), places)
            starts = [*whole["arm"].searchsorted(places, side="left").tolist(), len(whole["arm"])]
            for place, start, end in zip(places, starts[:-1], starts[1:], strict=True):
                frames[place] = {name: column[start:end] for name, column in whole.items()}
        return [frames[place] for place in range(len(scorer_versions))]

    def _asked(self, scorer_version: Mapping[str, str], places: Sequence[int]) -> Columns:
        frame = self._ask(scorer_version, places)
        if not self._again and self._doubled(frame):
            self._again = True
            frame = self._ask(scorer_version, places)
        return frame

    def _doubled(self, frame: Columns) -> bool:
        """Whether a place has more than one run."""
        if self._repeats > 1:
            return bool((frame["attempted"] > self._repeats).any())
        ids, arms = frame["example_id"], frame["arm"]
        return bool(((ids[1:] == ids[:-1]) & (arms[1:] == arms[:-1])).any())

    def _ask(self, scorer_version: Mapping[str, str], places: Sequence[int]) -> Columns:
        values = _values(self._sources)
        chosen: dict[str, object] = {
            name: [column[place] for place in places] for name, column in values.items()
        }
        for place, (name, version) in enumerate(scorer_version.items()):
            chosen |= {f"name{place}": name, f"scorer_version{place}": version}
        joins = " ".join(_SCORE.format(place) for place in range(len(scorer_version)))
        columns = [
            *_MEASURED,
            *((str(place), _OUTCOME.format(place)) for place in range(len(scorer_version))),
        ]
        if self._repeats == 1:
            picked = ", ".join(f"{sql} as m{name}" for name, sql in columns)
            body = (
                f"select p.arm, p.example_id, hash(p.print) as print, {picked} from places p join"
                f" runs r on r.id = p.run_id {joins} order by p.arm, p.example_id"
            )
        else:
            picked = ", ".join(
                f"avg({sql}) as m{name}, count({sql}) as n{name}"
                + (
                    f", var_samp({sql}) as v{name}, bool_and({sql} in (0, 1)) as b{name}"
                    if name.isdecimal()
                    else ""
                )
                for name, sql in columns
            )
            body = (
                "select p.arm, p.example_id, hash(any_value(p.print)) as print, count(*) as"
                f" attempted, {picked} from places p join runs r on r.id = p.run_id {joins} group"
                " by p.arm, p.example_id order by p.arm, p.example_id"
            )
        frame = self._store.columns(f"with {_ARMS}, {self._places(chosen)} {body}", chosen)
        return (
            self._single(frame, len(scorer_version))
            if self._repeats == 1
            else _settled(frame, len(scorer_version))
        )

    def _single(self, frame: Columns, scorers: int) -> Columns:
        """What aggregating one run per example would give."""
        import numpy as np

        size = len(frame["arm"])
        frame["attempted"] = np.ones(size)
        for name in (*(name for name, _ in _MEASURED), *map(str, range(scorers))):
            frame[f"n{name}"] = (frame[f"m{name}"] == frame[f"m{name}"]).astype(float)
        for place in range(scorers):
            mean = frame[f"m{place}"]
            frame[f"v{place}"], frame[f"b{place}"] = (
                np.full(size, np.nan),
                (mean == 0) | (mean == 1),
            )
        return frame

    def _places(self, values: dict[str, object]) -> str:
        if self._again:
            values["outcomes"] = [name for name, kind in FAILURES.items() if kind == "outcome"]
        return f"places as ({_LATEST if self._again else _LINKED})"

    def facts(self) -> list[dict[str, Any]]:
        """When and by what each source was answered, and what it cost; a run that answers several
        examples, which are copies, counts once.
        """
        values = _values(self._sources)
        rows = self._store.rows(
            f"with {_ARMS}, {self._places(values)} select p.arm, count(*), {_FACTS} from"
            " (select distinct arm, run_id from places) p join runs r on r.id = p.run_id"
            " group by p.arm order by p.arm",
            values,
        )
        return [_facts(row[1:]) for row in rows]


def versions_read(
    store: Store, sources: Sequence[Source], known: Mapping[str, ScorerRef]
) -> list[dict[str, str]]:
    """Per source scorer -> the version to read: the study's own where every arm has it, else the
    newest that all have; where the arms share none, each its newest, which `pair` then refuses.
    """
    rows = store.rows(
        f"with {_ARMS} select distinct a.arm, s.scorer, s.scorer_version from study_runs m join"
        " arms a on m.study_id = a.study_id and m.version_id = a.version_id join scores s on"
        " s.run_id = m.run_id and s.example_fingerprint = m.example_fingerprint order by all",
        _values(sources),
    )
    met: dict[str, dict[int, set[str]]] = {}
    for arm, scorer, version in rows:
        met.setdefault(scorer, {}).setdefault(int(arm), set()).add(version)
    out: list[dict[str, str]] = [{} for _ in sources]
    for name in [name for name in known if name in met] if known else sorted(met):
        shared = set.intersection(*met[name].values())
        own = known[name].version if name in known else ""
        for arm, versions in met[name].items():
            out[arm][name] = own if own in shared else max(shared or versions)
    return out


def _facts(row: Sequence[Any]) -> dict[str, Any]:
    """calls, first and last (UTC), fingerprints, returned, models, endpoints, sources,
    files (that runs came in with), imported (how many did), cost_usd, cost_unknown, latency_p50
    and p95, tokens, failures.
    """
    (
        calls,
        first,
        last,
        together,
        cost,
        unknown,
        latency,
        tokens_in,
        tokens_out,
        failed,
        failures,
        imported,
    ) = row
    return {
        "calls": calls,
        "first": first,
        "last": last,
        **{
            name: tuple(sorted({texts[place] for texts in together or () if texts[place]}))
            for place, name in enumerate(_TEXTS)
        },
        "cost_usd": cost,
        "cost_unknown": unknown,
        "latency_p50": latency[0] if latency else None,
        "latency_p95": latency[1] if latency else None,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "failed": failed,
        "imported": imported,
        "failures": {
            str(failure): int(count) for failure, count in sorted((failures or {}).items())
        },
    }


def _settled(frame: Columns, scorers: int) -> Columns:
    """The same figures whatever order DuckDB's threads added them up in: what is not exact is kept
    to 12 significant figures.
    """
    for name, _ in _MEASURED:
        frame[f"m{name}"] = _significant(frame[f"m{name}"])
    for place in range(scorers):
        frame[f"v{place}"] = _significant(frame[f"v{place}"])
        known = frame[f"n{place}"] > 0
        if (
            not frame[f"b{place}"][known].astype(bool).all()
        ):  # means of 0 and 1 are sums of whole numbers: exact in any order
            frame[f"m{place}"] = _significant(frame[f"m{place}"])
    return frame


def _significant(values: Any) -> Any:
    """Numbers rounded to 12 significant figures; zeros and NaN as they are."""
    import numpy as np

    numbers = values.astype(float)
    known = np.isfinite(numbers) & (numbers != 0)
    scale = np.ones(len(numbers))
    scale[known] = 10.0 ** (11 - np.floor(np.log10(np.abs(numbers[known]))))
    return np.where(known, np.rint(np.where(known, numbers, 0.0) * scale) / scale, numbers)
