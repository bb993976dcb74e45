"""A study in a notebook cell: it shows itself while it runs, with a stop button, and becomes its results when it is done.

The cell has ended long before; a thread of ours updates the widget in place, at most four times a second. When the study
is done the cell's output is replaced once by the results as static HTML, so that the saved notebook shows them too.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import esc, shorten
from . import svg
from .progress import line
from .study import html
from .theme import BAD, NEUTRAL, colour, page

if TYPE_CHECKING:
    from ..lab.study import Study

__all__ = ["LiveStudy", "bundle", "show", "snapshot"]

TICK_S = 0.25
_LOSSES = 5  # shown while it runs
_Z95 = 1.96  # while it runs the interval is a sketch; the results have the exact ones


def show(study: Study) -> None:
    """Display the study in the running cell."""
    if study.status == "running":
        LiveStudy(study).display()
    else:
        _display(bundle(study))


def _display(shown: dict[str, Any], **options: Any) -> Any:
    from IPython import display

    put: Any = display.display  # untyped
    return put(shown, raw=True, **options)


def bundle(study: Study) -> dict[str, Any]:
    """The static form: HTML and text."""
    return {"text/html": html(study), "text/plain": repr(study)}


def snapshot(study: Study) -> str:
    """A running study: a bar for each version, the score strip as it fills, one line of counts."""
    progress = study.progress
    if progress is None:
        return html(study)
    arms = study.config["arms"]
    planned = study.config["dataset"]["n"] * study.config["repeats"]
    rows, bars = [], []
    for place, arm in enumerate(arms):
        tint = colour(arm.get("number") or place + 1)
        done = study.done_of(place)
        failed = progress.arms[arm["version"]].failed if arm["version"] in progress.arms else 0
        rows.append(_bar(arm["label"], done, planned, failed, tint))
        tally = study.tally(place)
        if tally is not None and tally.scored:
            mean = tally.total / tally.scored
            spread = math.sqrt(max(tally.squares / tally.scored - mean * mean, 0.0) / tally.scored) * _Z95
            low, high = max(mean - spread, 0.0), min(mean + spread, 1.0)
            bars.append(svg.Bar(arm["label"], mean, low, high, tint, f"{words.percent(mean)} so far ({tally.scored:,} scored)"))
    picture = svg.strip(bars, title=f"{study.scorers[0]} so far", axis=f"{study.scorers[0]} so far") if bars else ""
    head = f"<p><b>{esc(study.name)}</b> <span class='dim'>{esc(line(progress, reused=study.reused))}</span></p>"
    return page(head + "".join(rows) + picture + _lost(study))


def _lost(study: Study) -> str:
    """The newest losses of the last arm, to be read while it runs."""
    losses = study.losses
    if losses is None or not losses.count:
        return ""
    last, first = study.versions[-1], study.versions[0]
    rows = "".join(
        f"<tr><td>{esc(loss.example_id)}</td><td>{esc(shorten(loss.asked, 90))}</td><td>{esc(shorten(loss.candidate, 70))}</td><td>{esc(shorten(loss.baseline, 70))}</td></tr>"
        for loss in list(losses.newest)[:_LOSSES]
    )
    head = f"<tr><th>example</th><th>asked</th><th>{esc(last)}</th><th>{esc(first)}</th></tr>"
    return f"<p><span style='color:{BAD}'>▼</span> {esc(last)} has lost {words.count(losses.count, 'example')} against {esc(first)} so far, the newest:</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _bar(label: str, done: int, planned: int, failed: int, tint: str) -> str:
    share = 100 * min(done / planned, 1.0) if planned else 100
    lost = f" · <span style='color:{BAD}'>{failed:,} failed</span>" if failed else ""
    return (
        f"<div style='display:flex;align-items:center;gap:10px;margin:3px 0'><span style='width:120px'>{esc(label)}</span>"
        f"<span style='flex:1;max-width:420px;height:10px;border-radius:5px;background:{NEUTRAL}33;overflow:hidden'>"
        f"<span style='display:block;height:100%;width:{share:.1f}%;background:{tint}'></span></span><span class='dim num'>{done:,} of {planned:,}{lost}</span></div>"
    )


class LiveStudy:
    """The widget of one running study. `box` is the ipywidgets container; `stop` its button."""

    def __init__(self, study: Study) -> None:
        import ipywidgets as widgets

        self.study = study
        self.view = widgets.HTML(snapshot(study))
        self.stop = widgets.Button(
            description="Stop", icon="stop", tooltip="Stop asking; everything done is kept, and running the cell again finishes the rest"
        )
        self.stop.on_click(self._stopped)
        self.box = widgets.VBox([self.view, self.stop])
        self._handle: Any = None

    def display(self) -> None:
        """Show it here, and keep it current from a thread until the study is done."""
        self._handle = _display(self._bundle(), display_id=True)
        threading.Thread(target=self._follow, name="promptops-live", daemon=True).start()

    def _bundle(self) -> dict[str, Any]:
        mime = self.box._repr_mimebundle_() or {}
        return {**mime, "text/html": self.view.value, "text/plain": repr(self.study)}

    def _stopped(self, _button: Any) -> None:
        self.stop.disabled = True
        self.stop.description = "Stopping"
        self.study.stop("stopped by hand")

    def _follow(self) -> None:
        while self.study.status == "running":
            time.sleep(TICK_S)
            self.view.value = snapshot(self.study)
        self.finish()

    def finish(self) -> None:
        """Turn into the results."""
        try:
            self.view.value = html(self.study)
        except PromptOpsError as error:
            self.view.value = page(f"<p>{esc(error)}</p>")
        self.box.children = (self.view,)
        if self._handle is not None:
            self._handle.update(bundle(self.study), raw=True)
