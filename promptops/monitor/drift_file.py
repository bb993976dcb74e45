"""The file of a monitor, `promptops.monitors/<prompt>.<env>.json` beside the registry: what is
watched, the anchor, each day's total and its evidence, and the alarms.

It is committed, or is kept where a scheduled job finds it; a year of days takes some 15 kB. It is
read and written here and nowhere else; a write replaces the whole file under a lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Conflict, StudyError
from ..markup import portable
from ..plain_file import read_plain
from ..redact import Redactor
from ..registry.secret_free import cleaned
from ..registry.write_lock import locked
from ..registry.write_lock import replace as replace_file

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = [
    "FOLDER",
    "FORMAT",
    "Day",
    "MonitorFile",
    "Series",
    "every",
    "live_path_of",
    "path_of",
    "reason_kept",
    "reserved",
]

FOLDER = "promptops.monitors"
FORMAT = 1
_COLUMNS = (
    "day",
    "total",
    "unscored",
    "evidence",
    "step",
    "answered_by",
    "judge_change",
    "judge_e",
    "scored",
)


@dataclass(frozen=True, slots=True)
class Day:
    """One day that counted.

    total: of the scores; evidence: E with this day; step: log of the day's own factor;
    answered_by: place in the monitor's list of who answered; judge_change, judge_e: how the mean of
    the anchor's answers moved when a judge scored them again, and the evidence that it fell; None
    if no judge scores; scored: of live quality, how many conversations the mean is of.
    """

    day: str
    total: float
    unscored: int
    evidence: float
    step: float
    answered_by: int = 0
    judge_change: float | None = None
    judge_e: float | None = None
    scored: int | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One scorer's monitor.

    text: the scorer as the command line may build it, None for one that only Python has; means:
    of each example in the anchor; totals: of the anchor's repeats; states: the evidence of each
    single bet, for a fall and, of a two-sided monitor, for a rise; spread, weekdays: of live
    quality, see `Reference`.
    """

    scorer: str
    version: str
    kind: str
    text: str | None
    means: tuple[float, ...]
    totals: tuple[float, ...]
    luck: float
    states: tuple[Mapping[str, Sequence[float]], ...]
    days: tuple[Day, ...] = ()
    spread: float = 0.0
    weekdays: tuple[float, ...] = ()

    def document(self) -> dict[str, Any]:
        """JSON-ready; `of` reads it."""
        return {
            "scorer": {
                "name": self.scorer,
                "version": self.version,
                "kind": self.kind,
                "text": self.text,
            },
            "anchor": {
                "means": list(self.means),
                "totals": list(self.totals),
                "luck": self.luck,
                **({"spread": self.spread} if self.spread else {}),
                **({"weekdays": list(self.weekdays)} if any(self.weekdays) else {}),
            },
            "states": [dict(state) for state in self.states],
            "columns": list(_COLUMNS),
            "days": [_short([getattr(day, name) for name in _COLUMNS]) for day in self.days],
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Series:
        """The series of a document."""
        scorer, anchor = document["scorer"], document["anchor"]
        columns = document["columns"]
        return cls(
            scorer["name"],
            scorer["version"],
            scorer["kind"],
            scorer["text"],
            tuple(map(float, anchor["means"])),
            tuple(map(float, anchor["totals"])),
            float(anchor["luck"]),
            tuple(document["states"]),
            tuple(Day(**dict(zip(columns, row, strict=False))) for row in document["days"]),
            float(anchor.get("spread", 0.0)),
            tuple(map(float, anchor.get("weekdays", ()))),
        )


@dataclass(frozen=True, slots=True)
class MonitorFile:
    """Everything that a monitor's file holds.

    declaration: prompt, env, version, number, model, dataset, repeats, budget_usd and two_sided, as
    they were declared; anchored: when, by whom, and the study of its answers; examples: ids in the
    order of every list of scores; answered_by: (model, fingerprint) of those who answered; alarms,
    history: oldest first.
    """

    declaration: Mapping[str, Any]
    anchored: Mapping[str, Any]
    examples: tuple[str, ...]
    series: tuple[Series, ...]
    answered_by: tuple[tuple[str, str], ...] = ()
    alarms: tuple[Mapping[str, Any], ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()

    @property
    def live(self) -> bool:
        """Whether it watches the quality of live calls, not a probe."""
        return self.declaration.get("kind") == "live"

    @property
    def name(self) -> str:
        """`<prompt>.<env>`, with ` (live)` for live quality; unique in a project."""
        kind = " (live)" if self.live else ""
        return f"{self.declaration['prompt']}.{self.declaration['env']}{kind}"

    @property
    def days(self) -> tuple[str, ...]:
        """The days that counted, oldest first."""
        return tuple(day.day for day in self.series[0].days) if self.series else ()

    def with_alarm(self, alarm: Mapping[str, object]) -> MonitorFile:
        """The file with an alarm put in the place of the one of its id, or added."""
        known = [each["id"] for each in self.alarms]
        if alarm["id"] not in known:
            return replace(self, alarms=(*self.alarms, dict(alarm)))
        at = known.index(alarm["id"])
        return replace(self, alarms=(*self.alarms[:at], dict(alarm), *self.alarms[at + 1 :]))

    def document(self) -> dict[str, Any]:
        """JSON-ready; `read` reads it."""
        return {
            "promptops_monitor": FORMAT,
            "declaration": dict(self.declaration),
            "anchored": dict(self.anchored),
            "alarms": [dict(alarm) for alarm in self.alarms],
            "history": [dict(entry) for entry in self.history],
            "answered_by": [list(pair) for pair in self.answered_by],
            "examples": list(self.examples),
            "series": [series.document() for series in self.series],
        }

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> MonitorFile:
        """The file at `path`.

        Raises:
            StudyError: it is missing, of a later format, or not a monitor's file.
        """
        name = os.path.basename(path)
        try:
            document = json.loads(read_plain(path))
            form = document["promptops_monitor"]
            if form != FORMAT:
                raise StudyError(
                    f"{name} has the monitor format {form!r}, and this release reads {FORMAT};"
                    " update promptops-toolkit."
                )
            return cls(
                document["declaration"],
                document["anchored"],
                tuple(document["examples"]),
                tuple(Series.of(each) for each in document["series"]),
                tuple((str(model), str(mark)) for model, mark in document["answered_by"]),
                tuple(document["alarms"]),
                tuple(document["history"]),
            )
        except FileNotFoundError:
            raise StudyError(
                f"there is no monitor {name.removesuffix('.json')}; declare it once with"
                " lab.watch(prompt, env=..., probe=..., scorers=...)."
            ) from None
        except OSError as error:
            raise StudyError(f"{name} cannot be read ({error.strerror}).") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StudyError(
                f"{name} is not a monitor's file ({type(error).__name__}: {error}); restore it from"
                " git."
            ) from None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Replace the file at `path`, whole or not at all."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        replace_file(os.fspath(path), (_text(self.document()) + "\n").encode())


def reason_kept(reason: str) -> str:
    """A reason as the file has it: without secrets, since it is committed."""
    return cleaned(reason.strip(), "reason", Redactor())


def path_of(project: Project, prompt: str, env: str, *, live: bool = False) -> str:
    """Where the monitor of a prompt in an environment is kept: `a.b` in `c` and `a` in `b.c` would
    share `a.b.c.json`, so whichever comes second has a name with " in " between the two.
    """
    folder = project.location.registry.parent / FOLDER
    parts = prompt.replace("/", "~"), env.replace("/", "~")
    short = folder / portable(".".join(parts) + (".live.json" if live else ".json"))
    long = folder / portable(" in ".join(parts) + (" live.json" if live else ".json"))
    whose = prompt, env, live
    apart = _whose(long) == whose or _whose(short) not in (None, whose)
    return str(long if apart else short)


def live_path_of(project: Project, prompt: str, env: str) -> str:
    """Where the monitor of live quality is kept, beside the probe's."""
    return path_of(project, prompt, env, live=True)


def _whose(path: Path) -> tuple[str, str, bool] | None:
    """Prompt and environment of a monitor's file, and whether it is of live quality; None if there
    is none, or none that can be read: the next reader says why.
    """
    try:
        file = MonitorFile.read(path)
        return str(file.declaration["prompt"]), str(file.declaration["env"]), file.live
    except (StudyError, LookupError, TypeError, AttributeError):
        return None


def every(project: Project) -> list[str]:
    """The files of all monitors of a project, by name."""
    folder = project.location.registry.parent / FOLDER
    return sorted(str(path) for path in folder.glob("*.json")) if folder.is_dir() else []


@contextmanager
def reserved(path: str, wait_s: float = 60.0) -> Iterator[None]:
    """Hold the monitor's lock: what is read within the block is still so when it is written.

    Raises:
        Conflict: another process holds it for `wait_s` seconds.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, wait_s))
        except Conflict:
            name = os.path.basename(path).split(".json")[0]
            raise Conflict(
                f"another process is running the monitor {name}; wait until it is done, and run the"
                " same again: a day counts once."
            ) from None
        yield


def _short(row: list[object]) -> list[object]:
    """A day's row with seven digits of what is only shown, without what it lacks at its end."""
    while row and row[-1] is None:
        row.pop()
    exact = _COLUMNS.index("total")  # equal totals stay equal
    return [
        float(f"{x:.7g}") if isinstance(x, float) and at != exact else x for at, x in enumerate(row)
    ]


def _text(value: object, indent: str = "") -> str:
    """JSON in which what holds nothing but plain values is on one line: a day is one line of a
    diff.
    """
    deeper = indent + " "
    if isinstance(value, Mapping) and any(isinstance(x, (Mapping, list)) for x in value.values()):
        rows = [f"{deeper}{json.dumps(k)}: {_text(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(x, (Mapping, list)) for x in value):
        return "[\n" + ",\n".join(f"{deeper}{_text(x, deeper)}" for x in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)
