"""A study in a notebook cell: it shows itself while it runs, with a stop button, and becomes its
results when it is done.

The cell has ended long before; one of our threads updates the widget in place, at most four times a
second. When the study is done the same widget holds the results, with the way to its examples, and
the saved notebook has them as static HTML.
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
from .cell_widgets import close
from .display import MOST, Shown, View, fitting
from .grid import grid
from .progress_view import line
from .study_view import headline, html
from .theme import BAD, NEUTRAL, chip, colour, in_text, page

if TYPE_CHECKING:
    from ..lab.study import Study

__all__ = ["LiveStudy", "show", "snapshot"]

TICK_S = 0.25
_KEEP_S = 5.0  # how old the page of a notebook may be that is saved while the study runs
_SAVED = (
    "The study was running when this was kept; run the cell again to see it now, or to go on where"
    " it stopped."
)
_LOSSES = 5  # shown while it runs
_READ = 2_000  # characters of a text that are looked at for a line of it
_Z95 = 1.96  # while it runs the interval is a sketch; the results have the exact ones


def show(study: Study) -> None:
    """Display the study in the running cell."""
    LiveStudy(study).display()


def snapshot(study: Study) -> str:
    """A running study: a bar for each version, the score strip as it fills, one line of counts."""
    progress = study.progress.calls
    if progress is None:
        return html(study)
    arms = study.record.arms
    planned = study.record.dataset.n * study.record.repeats
    rows, bars = [], []
    for place, arm in enumerate(arms):
        tint = colour(arm.number or place + 1)
        done = study.progress.done_of(place)
        failed = progress.arms[arm.version].failed if arm.version in progress.arms else 0
        rows.append(_bar(arm.label, done, planned, failed, tint))
        tally = study.progress.tally(place)
        if tally is not None and tally.scored:
            mean = tally.total / tally.scored
            spread = (
                math.sqrt(max(tally.squares / tally.scored - mean * mean, 0.0) / tally.scored)
                * _Z95
            )
            low, high = max(mean - spread, 0.0), min(mean + spread, 1.0)
            bars.append(
                svg.Bar(
                    arm.label,
                    mean,
                    low,
                    high,
                    tint,
                    f"{words.percent(mean)} so far ({tally.scored:,} scored)",
                )
            )
    picture = (
        svg.strip(
            bars,
            title=f"{study.record.scorer_names[0]} so far",
            axis=f"{study.record.scorer_names[0]} so far",
        )
        if bars
        else ""
    )
    head = (
        f"<p><b>{esc(study.name)}</b> <span"
        f" class='dim'>{esc(line(progress, reused=study.progress.reused))}</span></p>"
    )
    running = study.recorded.running
    if running is not None and running.reused_targets:
        head += f"<p class='dim'>{esc(running.reused_targets)}</p>"
    return page(head + "".join(rows) + picture + _lost(study))


def _lost(study: Study) -> str:
    """The newest losses of the last arm, to be read while it runs."""
    losses = study.progress.losses
    if losses is None or not losses.count:
        return ""
    last, first = study.record.labels[-1], study.record.labels[0]
    rows = [
        tuple(
            esc(shorten(_clean(study, text or ""), width))
            for text, width in (
                (loss.example_id, 80),
                (loss.asked, 90),
                (loss.candidate, 70),
                (loss.baseline, 70),
            )
        )
        for loss in list(losses.newest)[:_LOSSES]
    ]
    head = (
        f"<span style='color:{in_text(BAD)}'>▼</span> {esc(last)} has lost"
        f" {words.count(losses.count, 'example')} against {esc(first)} so far, the newest:"
    )
    return (
        f"<p>{head}</p>{grid(['example', 'input', last, first], rows, caption='the newest losses')}"
    )


def _clean(study: Study, text: str) -> str:
    """Without keys: what is shown here has not been through the store yet, where they are taken
    out.
    """
    return study.recorded.project.store.clean(text[:_READ])


def _bar(label: str, done: int, planned: int, failed: int, tint: str) -> str:
    share = 100 * min(done / planned, 1.0) if planned else 100
    lost = f" · <span style='color:{in_text(BAD)}'>{failed:,} failed</span>" if failed else ""
    return (
        f"<div class='po-arm'>{chip(label, tint)}<span class='po-bar'"
        f" style='background:{NEUTRAL}33' role='img' aria-label='{esc(label)}: {share:.0f} %"
        f" done'><span style='width:{share:.1f}%;background:{tint}'></span></span><span class='dim"
        f" num'>{done:,} of {planned:,}{lost}</span></div>"
    )


class LiveStudy(View):
    """The widget of one study. box: the ipywidgets container; stop: its button while it runs; more:
    the way to its examples when it is done.
    """

    def __init__(self, study: Study) -> None:
        import ipywidgets as widgets

        self.study = study
        self.view = widgets.HTML()
        self.stop = widgets.Button(
            description="Stop",
            icon="stop",
            tooltip=(
                "Stop asking; everything done is kept, and running the cell again finishes the rest"
            ),
        )
        self.more = widgets.Button(
            description="Look into the examples",
            icon="search",
            layout=widgets.Layout(width="auto", align_self="flex-start"),
        )
        self.stop.on_click(self._stopped)
        self.more.on_click(lambda _button: self.look())
        self.box = widgets.VBox()
        self._shown: Shown | None = None
        if study.status == "running":
            self.view.value, self.box.children = snapshot(study), (self.view, self.stop)
        else:
            self.finish()

    def static(self) -> str:
        """What the widget shows now; of a study that runs, with a note that it was not done."""
        if self.study.status == "running":
            return fitting((self.view.value, page(f"<p class='dim'>{_SAVED}</p>")))
        return (
            self.view.value
            if len(self.view.value.encode()) < MOST
            else page(f"<p>{esc(headline(self.study))}</p>")
        )

    def __repr__(self) -> str:
        return repr(self.study)

    def display(self) -> None:
        """Show it here, and keep it current from a thread until the study is done."""
        self._shown = self.shown()
        self._shown.display()
        if self.study.status == "running" or self.stop in self.box.children:
            threading.Thread(target=self._follow, name="promptops-live", daemon=True).start()

    def _stopped(self, _button: object) -> None:
        self.stop.disabled = True
        self.stop.description = "Stopping"
        self.study.progress.stop("stopped by hand")

    def _follow(self) -> None:
        kept = time.monotonic()
        while self.study.status == "running":
            time.sleep(TICK_S)
            self.view.value = snapshot(self.study)
            if self._shown is not None and time.monotonic() - kept > _KEEP_S:
                kept = time.monotonic()
                self._shown.keep(self.static(), repr(self))
        self.finish()

    def finish(self) -> None:
        """Turn into the results; what the notebook keeps does too."""
        try:
            self.view.value = html(self.study)
            self.box.children = (self.view, self.more)
        except PromptOpsError as error:
            self.view.value = page(f"<p>{esc(error)}</p>")
            self.box.children = (self.view,)
            close(self.more)
        close(self.stop)
        if self.box.comm is None:  # the cell ran again meanwhile, and closed this view
            close(self.more)
        if self._shown is not None:
            self._shown.keep(self.static(), repr(self))

    def look(self) -> None:
        """The examples below the results, read when they are first asked for."""
        import ipywidgets as widgets

        from .examples_view import ExamplesView

        try:
            below: Any = ExamplesView(self.study).box
        except PromptOpsError as error:
            below = widgets.HTML(page(f"<p role='alert'>{esc(error)}</p>"))
        self.box.children = (self.view, below)
        close(self.more)
