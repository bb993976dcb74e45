"""How what serves is doing: version, since when, by whom, canary, alarms, live figures since the
deployment beside those before it, and the literal command that goes back.

The figures describe; they decide nothing. A canary is judged by `promptops canary guard`, and drift
by a monitor, both with a stated rate of false alarms.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError
from ..markup import shorten
from ..registry.editor import Editor
from ..run import utc

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry
    from ..study.project import Project

__all__ = ["Figures", "Status", "status_lines", "status_of"]

_DAY_S = 86_400.0
_LONGEST_DAYS = 30.0
_LEAST_DAYS = 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Live calls of a window. quality: mean of judged calls, else of votes; cost_usd: per call
    whose price is known; None: unknown.
    """

    calls: int = 0
    failures: float | None = None
    quality: float | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """One environment of one prompt. canary: what gets which share; alarms: the open ones, in a
    sentence each; now, before: live calls since the deployment, and in as many days before it
    (1 to 30); back: the command that goes back, "" if there is nothing to go back to.
    """

    prompt: str
    env: str
    version: str
    since: str
    by: str
    canary: str
    alarms: tuple[str, ...]
    now: Figures
    before: Figures
    back: str

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "alarms": list(self.alarms)}


def status_of(project: Project, env: str | None = None) -> list[Status]:
    """One for each prompt and environment that serves; env: this environment alone."""
    registry, alarms = project.registry, _alarms(project)
    found: list[Status] = []
    if not os.path.isfile(registry.path):
        return found
    _take_in(project)
    with _rehearsal(registry) as copy:
        for name in registry.names():
            for each in registry.environments(name):
                serving = registry.serving(name, each) if env in (None, each) else None
                if serving is None:
                    continue
                since, before = _windows(project, serving)
                found.append(
                    Status(
                        name,
                        each,
                        serving.label,
                        serving.at,
                        serving.author,
                        _canary(serving),
                        alarms.get((name, each), ()),
                        since,
                        before,
                        _back(copy, serving),
                    )
                )
    return found


def status_lines(status: Status) -> Iterator[str]:
    """As a terminal shows it."""
    since = status.since[:16].replace("T", " ")
    yield (
        f"{status.prompt} in {status.env}: {status.version} since {since} UTC,"
        f" by {status.by or 'unknown'}"
    )
    if status.canary:
        yield f"  canary: {status.canary}"
    yield from (f"  ALARM: {alarm}" for alarm in status.alarms)
    if not status.alarms:
        yield "  alarms: none open"
    if status.now.calls or status.before.calls:
        parts = [
            f"{name} {_shown(name, getattr(status.now, key))}"
            f" (before {_shown(name, getattr(status.before, key))})"
            for name, key in (("quality", "quality"), ("cost", "cost_usd"), ("failures",) * 2)
        ]
        yield f"  {', '.join(parts)}"
        yield f"  live calls: {status.now.calls:,} since, {status.before.calls:,} before"
    else:
        yield "  live calls: none recorded (promptops help observing)"
    yield f"  to go back: {status.back or 'nothing to go back to'}"


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4g} USD per call" if name == "cost" else f"{100 * value:.1f} %"


def _canary(serving: DeploymentEntry) -> str:
    canary = serving.canary
    return f"v{canary.number} to {canary.percent:g} %" if canary is not None else ""


def _alarms(project: Project) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """The open alarms that nobody acknowledged, by prompt and environment."""
    from .drift_file import MonitorFile, every

    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for path in every(project):
        try:
            file = MonitorFile.read(path)
        except PromptOpsError as error:
            name, _, env = Path(path).stem.rpartition(".")
            found[name, env] = (f"the monitor cannot be read: {error}",)
            continue
        place = (str(file.declaration["prompt"]), str(file.declaration["env"]))
        found[place] = tuple(
            shorten(f"{alarm['id']} on {alarm['day']}: {alarm['cause']['sentence']}", 2_000)
            for alarm in file.alarms
            if alarm["closed"] is None and alarm["acknowledged"] is None
        )
    return found


def _readable() -> bool:
    """Whether the store can be read: without the extra [run] its figures are unknown."""
    return find_spec("duckdb") is not None and find_spec("pyarrow") is not None


def _take_in(project: Project) -> None:
    """New rows of the folder that applications record to."""
    from .live_sources import live_source, taken_in

    if _readable():
        taken_in(project.store, live_source())


def _windows(project: Project, serving: DeploymentEntry) -> tuple[Figures, Figures]:
    """Live figures since a deployment, and in as many days before it."""
    if not project.location.store.is_dir() or not _readable():
        return Figures(), Figures()
    began = datetime.fromisoformat(serving.at.replace("Z", "+00:00"))
    began = began if began.tzinfo else began.replace(tzinfo=UTC)
    at = began.timestamp()
    days = min(max((time.time() - at) / _DAY_S, _LEAST_DAYS), _LONGEST_DAYS)
    place = {"prompt": serving.prompt, "env": serving.env, "scorer": None}
    now = {**place, "since": utc(at), "until": None}
    before = {**place, "since": utc(at - days * _DAY_S), "until": utc(at)}
    return _figures(project, now), _figures(project, before)


def _figures(project: Project, asked: Mapping[str, object]) -> Figures:
    from .live_questions import by_version

    rows = by_version(project.store, asked, project.prices)
    calls = sum(row["calls"] for row in rows)
    if not calls:
        return Figures()
    judged = any(row["scored"] for row in rows)
    quality = _mean(rows, "score", "scored") if judged else _mean(rows, "good", "votes")
    failures = sum(row["failures"] for row in rows) / calls
    return Figures(calls, failures, quality, _cost(rows))


def _mean(rows: list[dict[str, Any]], value: str, count: str) -> float | None:
    known = [(row[value], row[count]) for row in rows if row[count]]
    total = sum(count for _, count in known)
    return sum(value * count for value, count in known) / total if total else None


def _cost(rows: list[dict[str, Any]]) -> float | None:
    known = [row for row in rows if row["cost_usd"] is not None and row["priced"]]
    total = sum(row["priced"] for row in known)
    return sum(row["cost_usd"] for row in known) / total if total else None


@contextmanager
def _rehearsal(registry: Editor) -> Iterator[Editor]:
    """A copy of the registry, in which a step back is tried."""
    with tempfile.TemporaryDirectory(prefix="promptops-") as folder:
        copy = os.path.join(folder, os.path.basename(registry.path))
        shutil.copyfile(registry.path, copy)
        yield Editor(copy)


def _back(copy: Editor, serving: DeploymentEntry) -> str:
    """The command that goes back, with what it would come to."""
    try:
        done = copy.rollback(serving.prompt, serving.env, author="rehearsal")
    except PromptOpsError:
        return ""
    if done is None:
        return ""
    return f"promptops rollback {serving.prompt} --env {serving.env}  # serves {done.label} again"
