"""A drift monitor as people look at it: the evidence over its days against its threshold, on a log
scale, with what was deployed meanwhile, and its alarms as rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis import words as numbers
from ..errors import PromptOpsError
from ..markup import count, esc
from ..monitor.drift_file import MonitorFile, Series, every
from ..monitor.drift_rows import alarm_rows
from ..monitor.watch import thresholds
from . import svg
from .grid import GridColumn, breaking, grid, short
from .theme import BAD, GOOD, NEUTRAL, PALETTE, UNSURE, in_text, page, style_figure
from .time_picture import Frame, dot, line, words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from ..lab.monitor import Monitor
    from ..registry.deployment import DeploymentEntry
    from ..study.project import Project

__all__ = ["evidence_picture", "figure", "html", "monitor_parts", "monitors_html"]

_LEAST = 0.1  # smaller evidence is drawn as this: it says "nothing"
_SLIM, _BROAD = Frame(), Frame(width=1120)  # the latter where a page has the room for it


def html(monitor: Monitor) -> str:
    """The cell's view: what it says, the evidence, the alarms."""
    tint = {"quiet": GOOD, "alarm": BAD, "unknown": UNSURE}[monitor.status]
    note = f"<p>{esc(monitor.note)}</p>" if monitor.note else ""
    file = monitor.file
    card = (
        f"<div class='card' style='--po-accent:{in_text(tint)}'><b class='v'>{esc(file.name)}:"
        f" {esc(monitor.status)}</b><p class='dim'>{esc(_facts(file))}</p>{note}</div>"
    )
    return page(card + _body(monitor.project, file, monitor.threshold))


def monitors_html(project: Project, prompt: str | None = None) -> str:
    """Every monitor of a project below its name; one that cannot be read says why.

    prompt: those of this one alone; "" if it has none.
    """
    nothing = "<p class='dim'>Nothing is watched yet: lab.watch(prompt, probe=..., scorers=...)</p>"
    parts = monitor_parts(project, prompt)
    return page(parts or nothing) if parts or prompt is None else ""


def monitor_parts(project: Project, prompt: str | None = None) -> str:
    """The monitors of one prompt, or of all of them, as part of a page; "" without one."""
    threshold, parts = thresholds(project), []
    for path in every(project):
        try:
            file = MonitorFile.read(path)
        except PromptOpsError as error:
            named = Path(path).stem.removesuffix(".live").rpartition(".")[0].replace("~", "/")
            if prompt in (None, named):
                parts.append(f"<p role='alert'>{esc(error)}</p>")
            continue
        if prompt not in (None, file.declaration["prompt"]):
            continue
        facts = f"<p class='dim'>{esc(_finding(file))} · {esc(_facts(file))}</p>"
        parts.append(f"<h3>{esc(file.name)}</h3>{facts}{_body(project, file, threshold)}")
    return "".join(parts)


def figure(monitor: Monitor) -> Figure:
    """The same as a plotly figure: a line per scorer, the threshold, and deployments as markers."""
    import plotly.graph_objects as go

    file, threshold = monitor.file, monitor.threshold
    drawn = go.Figure()
    for series in file.series:
        drawn.add_scatter(
            x=[day.day for day in series.days],
            y=[max(day.evidence, _LEAST) for day in series.days],
            name=series.scorer,
            mode="lines+markers",
        )
    drawn.add_hline(y=threshold, line={"color": BAD, "dash": "dash"})
    marks = [(day, label, NEUTRAL) for day, label in _deployed(monitor.project, file)]
    since = sorted({alarm["since"] for alarm in file.alarms} & set(file.days))
    for day, label, tint in (*marks, *((day, f"since {day}", BAD) for day in since)):
        drawn.add_vline(x=day, line={"color": tint, "dash": "dot"})
        at = {"x": day, "y": 1, "yref": "paper", "yanchor": "bottom"}
        drawn.add_annotation(text=esc(label), showarrow=False, font={"color": tint}, **at)
    drawn.update_yaxes(type="log", title={"text": f"evidence (threshold {threshold:,.0f})"})
    return style_figure(drawn, title=_finding(file))


def evidence_picture(
    project: Project, file: MonitorFile, series: Series, threshold: float, frame: Frame = _SLIM
) -> str:
    """The evidence of one scorer over its days as inline SVG; nothing before the first day."""
    days = series.days
    if not days:
        return "<p class='dim'>The anchor is frozen; no day is counted yet.</p>"
    most = max(threshold * 3, *(day.evidence for day in days))
    span = math.log10(min(most, 1e12) / _LEAST)

    def x(at: int) -> float:
        return frame.x(at / max(len(days) - 1, 1))

    def y(evidence: float) -> float:
        return frame.y(math.log10(min(max(evidence, _LEAST), 1e12) / _LEAST) / span)

    out = [words(2, 14, f"evidence that {series.scorer} changed", "start")]
    powers = range(-1, math.floor(math.log10(_LEAST) + span) + 1)
    for power in powers:
        shown = not (power - powers[0]) % (1 + len(powers) // 8)  # at most eight numbers
        out.append(frame.level(y(10.0**power), _power(power) if shown else ""))
    out.append(frame.level(y(threshold), tint=BAD, dashed=True))
    out.append(words(frame.x(1), y(threshold) - 5, f"threshold {threshold:,.0f}", "end"))
    places = {day.day: at for at, day in enumerate(days)}
    for day, name in _deployed(project, file):
        at = next((places[known] for known in places if known >= day), None)
        if at is not None:
            out.append(frame.mark(x(at), NEUTRAL, name))
    for alarm in file.alarms:
        if alarm["scorer"] == series.scorer and alarm["since"] in places:
            out.append(frame.mark(x(places[alarm["since"]]), BAD, f"since {alarm['since']}"))
    points = [(x(at), y(day.evidence)) for at, day in enumerate(days)]
    out.append(line(points, PALETTE[0]))
    out += [dot(*point, PALETTE[0]) for point in points]
    out.append(frame.ends(days[0].day, days[-1].day))
    last = days[-1]
    seen = f"evidence {numbers.e_value(last.evidence)} on {last.day}"
    title = f"{series.scorer}: {seen}, threshold {threshold:,.0f}"
    return svg.wrap("".join(out), frame.width, frame.height, title)


def _power(power: int) -> str:
    """A power of ten as people read it."""
    for name, digits in (("B", 9), ("M", 6), ("k", 3)):
        if power > 3 and power >= digits:
            return f"{10 ** (power - digits):,}{name}"
    return f"{10.0**power:,.0f}" if power >= 0 else f"{10.0**power:g}"


def _body(project: Project, file: MonitorFile, threshold: float) -> str:
    """The pictures are drawn in two widths, of which the page shows the one that fits: one that is
    scaled would have letters of another size than the page.
    """
    pictures = ""
    for series in file.series:
        slim, broad = (
            evidence_picture(project, file, series, threshold, frame) for frame in (_SLIM, _BROAD)
        )
        one = f"<div class='po-slim'>{slim}</div><div class='po-broad'>{broad}</div>"
        pictures += one if series.days else slim
    return pictures + _alarms(file)


def _alarms(file: MonitorFile) -> str:
    rows = [
        (
            f"<span class='po-whole'>{esc(row['alarm'])}</span>",
            breaking(row["scorer"]),
            short(row["since"]),
            f"{100 * row['before']:.1f} → {100 * row['now']:.1f} %",
            esc(row["says"]),
            esc(row["state"]),
        )
        for row in alarm_rows([file])
    ]
    if not rows:
        return "<p class='dim'>No alarm.</p>"
    columns: list[GridColumn | str] = [
        "alarm",
        "scorer",
        "since",
        GridColumn("mean", number=True),
        "cause",
        "state",
    ]
    return grid(columns, rows, caption=f"alarms of {file.name}, newest first")


def _deployed(project: Project, file: MonitorFile) -> list[tuple[str, str]]:
    """(day, label) of each deployment within the monitor's days."""
    if not file.days:
        return []
    known = file.declaration
    links: Sequence[DeploymentEntry] = project.registry.history(known["prompt"], known["env"])
    first, last = file.days[0], file.days[-1]
    return [(each.at[:10], _step(each)) for each in links if first <= each.at[:10] <= last]


def _step(entry: DeploymentEntry) -> str:
    """What a deployment did; of a canary its own version and share."""
    if entry.kind == "canary" and entry.canary is not None:
        return f"canary v{entry.canary.number} at {entry.canary.percent:g} %"
    return f"{entry.kind} {entry.label}"


def _facts(file: MonitorFile) -> str:
    known = file.declaration
    if file.live:
        first, last = file.anchored["days"]
        scored = [day.scored or 0 for day in file.series[0].days] if file.series else []
        each = f", {sum(scored) / len(scored):,.0f} scored a day" if scored else ""
        days = f"{count(len(file.days), 'day')} counted"
        return f"live calls in {known['env']}{each} · reference {first} to {last} · {days}"
    parts = [
        f"v{known['number']} in {known['env']}, {count(len(file.examples), 'example')} a day",
        f"anchor of {str(file.anchored['at'])[:10]}",
        f"{count(len(file.days), 'day')} counted",
    ]
    return " · ".join(parts)


def _finding(file: MonitorFile) -> str:
    alarms = [alarm for alarm in file.alarms if alarm["closed"] is None]
    if not alarms:
        return f"{file.name}: quiet over {count(len(file.days), 'day')}"
    alarm = alarms[-1]
    moved = f"{100 * alarm['before']:.0f} to {100 * alarm['now']:.0f} %"
    return f"{file.name}: {moved} since {alarm['since']}"
