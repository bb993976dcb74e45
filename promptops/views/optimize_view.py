"""A search as people look at it: what there was to win, the candidates as a tree, their scores on
val, quality against tokens, the budget by role, and the last candidates as word diffs.

What val says of a candidate that was chosen on val is never called a gain.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ..analysis import words
from ..analysis.intervals import wilson
from ..errors import PromptOpsError
from ..markup import esc, shorten
from . import svg
from .display import Shown, View, fitting
from .grid import GridColumn, grid
from .theme import BAD, GOOD, NEUTRAL, UNSURE, colour, in_text, page

if TYPE_CHECKING:
    from ..lab.optimization import Optimization
    from ..optimize.lineage import Candidate

__all__ = ["LiveSearch", "html", "show_search"]

TICK_S = 0.25
CHOSEN = "on val, chosen on it: expect 4 to 9 points less"
_BARS, _TREE, _DIFFS, _CUT = 10, 40, 3, 1500
_MESSAGES = 2  # of a candidate that are shown as a diff
_ROLES = {"task": UNSURE, "judge": GOOD, "propose": BAD}
_TINTS = {"best": GOOD, "kept": UNSURE, "proposed": NEUTRAL, "raced_out": NEUTRAL, "vetoed": BAD}


def show_search(face: Optimization) -> None:
    """Display the search in the running cell."""
    LiveSearch(face).display()


def html(face: Optimization) -> str:
    """The whole view, small enough for a saved notebook."""
    return fitting(_parts(face))


def _parts(face: Optimization) -> tuple[str, ...]:
    beside = f"<div class='po-cols'><div>{_strip(face)}</div><div>{_front(face)}</div></div>"
    return page(_head(face)), page(beside), page(_tree(face)), page(_diffs(face))


def _head(face: Optimization) -> str:
    search, spending = face.search, face.search.spending
    best = search.best
    score = f": {words.percent(best.score)} of {best.n:,} rows" if best.score is not None else ""
    chosen = f" <span class='dim'>({CHOSEN})</span>" if best.number else ""
    so_far = " so far" if face.status == "running" else ""
    why = search.choice.why if search.choice is not None else ""
    kept_out = f"<p>{esc(why)}</p>" if why else ""
    roles = " · ".join(f"{role} {count:,}" for role, count in spending.calls.items()) or "none yet"
    noted = face.headroom.sentences() if face.headroom is not None else ()
    wording = "".join(f"<li>{esc(sentence)}</li>" for sentence in noted)
    over = search.stopping or spending.exhausted
    notes = "".join(f" · {esc(note)}" for note in (_waiting(face), over) if note)
    accent = in_text(GOOD if best.number else NEUTRAL)
    return (
        f"<div class='card' style='--po-accent:{accent}'><b class='v'>"
        f"{esc(search.design.method.name)}: {esc(face.status)}</b><p>best{so_far}"
        f" <b>{esc(best.label)}</b>{score}{chosen}</p>{kept_out}"
        f"<p class='dim'>{_spent(face)} ({esc(roles)}){notes}</p>{_budget(face)}</div>"
        f"<ul>{wording}</ul>"
    )


def _spent(face: Optimization) -> str:
    """Calls, tokens, money and seconds, each with its limit if it has one."""
    spending, most = face.search.spending, face.search.spending.allowance
    calls = f" of {most.calls:,}" if most.calls is not None else ""
    tokens = f" of {most.tokens:,}" if most.tokens is not None else ""
    usd = f" of {words.money(most.usd)}" if most.usd is not None else ""
    seconds = f" · {most.seconds:g} s at most" if most.seconds is not None else ""
    return (
        f"{spending.spent_calls:,}{calls} calls · {spending.tokens:,}{tokens} tokens ·"
        f" {words.money(spending.usd)}{usd}{seconds}"
    )


def _waiting(face: Optimization) -> str:
    """How far the answers are that are asked now; "" if none are."""
    come, asked = face.search.asker.under_way
    return f"{come:,} of {asked:,} answers have come" if asked > come else ""


def _budget(face: Optimization) -> str:
    """The calls of each role as a bar; where calls are limited, the rest of it is what is left."""
    spending = face.search.spending
    spent = spending.spent_calls
    whole = max(spending.allowance.calls or spent, spent)
    if not spent:
        return ""
    tints = {role: _ROLES.get(role, NEUTRAL) for role in spending.calls}
    parts = "".join(
        f"<span title='{esc(role)}: {count:,}' style='height:.6em;"
        f"width:{100 * count / whole:.2f}%;background:{tints[role]}'></span>"
        for role, count in spending.calls.items()
    )
    keys = " ".join(
        f"<span style='color:{in_text(tint)}'>■</span> {esc(r)}" for r, tint in tints.items()
    )
    frame = "display:flex;max-width:32em;border:1px solid #8886;border-radius:3px;overflow:hidden"
    return f"<div style='{frame}'>{parts}</div><p class='dim'>{keys}</p>"


def _strip(face: Optimization) -> str:
    """The leaders and the seed on val, with 95 % intervals."""
    scored = [each for each in face.candidates if each.score is not None]
    ranked = sorted(scored, key=lambda each: (-each.n, -(each.score or 0.0), each.number))
    chosen = ranked[:_BARS]
    chosen += [each for each in scored[:1] if each not in chosen]
    bars = []
    for each in chosen:
        mean = each.score or 0.0
        low, high = wilson(round(mean * each.n), each.n)
        wording = f"{words.percent(mean)} of {each.n:,}"
        bars.append(svg.Bar(each.label, mean, low, high, colour(each.number + 1), wording))
    if not bars:
        return "<p class='dim'>No candidate has answered yet.</p>"
    primary = face.search.task.primary
    return svg.strip(bars, title=f"{primary} on val", axis=f"{primary} {CHOSEN}")


def _tree(face: Optimization) -> str:
    """Parent above child, indented; the dots are the val rows that it reached."""
    lines: list[str] = []

    def grow(candidate: Candidate, depth: int) -> None:
        if len(lines) >= _TREE:
            return
        tint = _TINTS.get(candidate.status, NEUTRAL)
        dots = "●" * max(1, (candidate.n // 8).bit_length())
        reached = candidate.status.replace("_", " ")
        if candidate.score is not None:
            reached = f"{words.percent(candidate.score)} of {candidate.n:,} · {reached}"
        elif candidate.status == "proposed":
            reached = "no answer yet" if face.status == "running" else "not reached"
        how = candidate.how if depth else ""
        flags = "".join(
            f" <span style='color:{in_text(BAD)}'>{esc(flag)}</span>" for flag in candidate.flags
        )
        lines.append(
            f"<div style='margin-left:{1.4 * depth:.1f}em'><span style='color:{in_text(tint)}'>"
            f"{dots}</span> <b>{esc(candidate.label)}</b> {esc(how)} <span class='dim'>"
            f"{esc(reached)}</span>{flags}</div>"
        )
        for child in face.search.lineage.children(candidate.id):
            grow(child, depth + 1)

    if face.candidates:
        grow(face.candidates[0], 0)
    more = len(face.candidates) - len(lines)
    rest = f"<p class='dim'>and {more:,} more</p>" if more > 0 else ""
    vetoed = face.search.lineage.vetoed()
    refused = "".join(f"<li>{esc(shorten(event.detail, 160))}</li>" for event in vetoed[-_DIFFS:])
    veto = f"<p>{words.count(len(vetoed), 'version')} vetoed before a call:</p><ul>{refused}</ul>"
    return f"<h4>Candidates</h4>{''.join(lines)}{rest}{veto if vetoed else ''}"


def _front(face: Optimization) -> str:
    """Quality against tokens, and those that nothing beats in both."""
    front = {each.id for each in face.front}
    points = []
    for each in face.candidates:
        if each.score is None or each.tokens is None:
            continue
        low, high = wilson(round(each.score * each.n), each.n)
        tint = colour(each.number + 1)
        points.append(
            svg.Point(each.label, each.tokens, each.score, low, high, tint, each.id in front)
        )
    if len(points) < 2:
        return ""
    rows = [
        (esc(each.label), words.percent(each.score), f"{each.tokens:,.0f}", esc(each.how))
        for each in face.front
        if each.score is not None and each.tokens is not None
    ]
    on_val, tokens = GridColumn("on val", number=True), GridColumn("tokens", number=True)
    columns: list[GridColumn | str] = ["candidate", on_val, tokens, "how"]
    return svg.scatter(
        sorted(points, key=lambda point: not point.front)[:_BARS],
        title="quality against tokens",
        x_axis="tokens per call",
        y_axis=f"{face.search.task.primary} {CHOSEN}",
    ) + grid(columns, rows, caption="candidates that nothing beats in both")


def _diffs(face: Optimization) -> str:
    """The last candidates as word diffs against their first parent, with the feedback that the step
    was given.
    """
    known = face.search.lineage.candidates
    out: list[str] = []
    for each in reversed(face.candidates[1:][-_DIFFS:]):
        parent = known.get(each.parents[0]) if each.parents else None
        if parent is None:
            continue
        changed = parent.version.diff(each.version).changed()
        messages = "".join(
            f"<p class='dim'>{esc(role)}</p><p style='white-space:pre-line'>"
            f"{''.join(_piece(tag, text) for tag, text in found[:200])}</p>"
            for role, found in changed[:_MESSAGES]
        )
        if len(changed) > _MESSAGES:
            left = words.count(len(changed) - _MESSAGES, "more changed message")
            messages += f"<p class='dim'>and {left}</p>"
        feedback = each.feedback if len(each.feedback) <= 400 else f"{each.feedback[:399]}…"
        wording = (
            f"<p class='dim' style='white-space:pre-line'>feedback: {esc(feedback.strip())}</p>"
        )
        told = wording if each.feedback else ""
        out.append(
            f"<details{'' if out else ' open'}><summary>{esc(each.label)} from"
            f" {esc(parent.label)}: {esc(each.how)}</summary>"
            f"{messages}{told}</details>"
        )
    return f"<h4>The last candidates</h4>{''.join(out)}" if out else ""


def _piece(tag: str, text: str) -> str:
    shown = esc(text if len(text) <= _CUT else shorten(text, _CUT))  # with the spaces around it
    if tag == "added":
        return f"<ins style='color:{in_text(GOOD)}'>{shown}</ins>"
    return f"<del style='color:{in_text(BAD)}'>{shown}</del>" if tag == "removed" else shown


class LiveSearch(View):
    """The widget of one search. box: the ipywidgets container; stop: its button while it runs."""

    def __init__(self, face: Optimization) -> None:
        import ipywidgets as widgets

        self.face = face
        # apart, so that a diff that somebody has opened stays open while the figures change
        self.parts = tuple(widgets.HTML(part) for part in _parts(face))
        self.stop = widgets.Button(
            description="Stop", icon="stop", tooltip="Ask nothing more; the best so far stays"
        )
        self.stop.on_click(self._stopped)
        running = face.status == "running"
        head, *rest = self.parts
        self.box = widgets.VBox((head, self.stop, *rest) if running else self.parts)
        self._shown: Shown | None = None

    def static(self) -> str:
        """What the saved notebook has."""
        return html(self.face)

    def __repr__(self) -> str:
        return repr(self.face)

    def display(self) -> None:
        """Show it here, and keep it current until the search is done."""
        self._shown = self.shown()
        self._shown.display()
        if self.stop in self.box.children:
            threading.Thread(target=self._follow, name="promptops-search", daemon=True).start()

    def _stopped(self, _button: object) -> None:
        self.stop.disabled, self.stop.description = True, "Stopping"
        self.face.stop()

    def _follow(self) -> None:
        while self.face.status == "running":
            time.sleep(TICK_S)
            self._show()
        self.finish()

    def _show(self) -> None:
        for widget, part in zip(self.parts, _parts(self.face), strict=True):
            widget.value = part

    def finish(self) -> None:
        """Turn into the result; what the notebook keeps does too."""
        self.box.children = self.parts
        try:
            self.face.wait()
            self._show()
            shown = self.static()
        except PromptOpsError as error:
            shown = page(f"<p>{esc(error)}</p>")
            self.parts[0].value = shown
            self.box.children = self.parts[:1]
        if self._shown is not None:
            self._shown.keep(shown, repr(self))
