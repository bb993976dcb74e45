"""Live calls in the dashboard: what each version does, and the calls that went wrong, one by one;
what somebody has looked at becomes an example, with the golden answer that it should have had.

Three clicks: the tab, the call, "Add as example". Read-only, it has no button that writes.
"""

from __future__ import annotations

import asyncio
import json
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import count, esc, shorten
from ..monitor.queries.live_listing import live_count
from .display import View, fitting
from .grid import GridColumn, grid
from .live_calls import NO_CALLS
from .live_calls import html as versions_html
from .theme import GOOD, in_text, page

if TYPE_CHECKING:
    from ..lab.lab import Lab
    from ..lab.live_view import LiveView

__all__ = ["PATH", "WRONG", "LiveTab", "call_html"]

PATH = "data/from_live.jsonl"
WRONG = "failure IS NOT NULL OR good = 0 OR correction IS NOT NULL OR score < 0.5"
FOLLOW_S = 2.5
_MOST = 100  # calls that are offered, the newest
_READ = 4_000  # characters of a text


class LiveTab(View):
    """box: its container; rows: the calls that went wrong and have their content, newest first;
    live: the calls of the prompt and environment that are chosen, None if there are none.
    """

    def __init__(self, lab: Lab, *, writes: bool = True) -> None:
        import ipywidgets as widgets

        self.lab, self.writes = lab, writes
        self.live: LiveView | None = None
        self.rows: list[dict[str, Any]] = []
        self._seen: tuple[object, ...] = ()
        self._shown: object = None  # the id of the call whose golden answer may be half typed
        self._listing = False  # while the lists change, no choice in them is a person's
        wide = {"width": "640px", "max_width": "98%"}
        self.which = widgets.Dropdown(description="prompt", layout=widgets.Layout(**wide))
        self.call = widgets.Dropdown(description="call", layout=widgets.Layout(**wide))
        self.summary, self.detail = widgets.HTML(), widgets.HTML()
        self.golden = widgets.Text(
            description="golden",
            placeholder="what the answer should have been, if you know",
            layout=widgets.Layout(**wide),
        )
        self.add = widgets.Button(
            description="Add as example",
            icon="plus",
            tooltip=f"You have looked at it: it becomes an example of {PATH}",
            layout=widgets.Layout(width="auto"),
        )
        self.labels = widgets.Button(
            description="Take users' votes as labels",
            icon="tags",
            tooltip="So that a judge is measured against them",
            layout=widgets.Layout(width="auto"),
        )
        self.note = widgets.HTML()
        self.which.observe(lambda _change: self.draw(), names="value")
        self.call.observe(lambda _change: self.look(), names="value")
        self.add.on_click(lambda _button: self.added())
        self.labels.on_click(lambda _button: self.labelled())
        row = widgets.HBox([self.add, self.labels], layout=widgets.Layout(flex_flow="row wrap"))
        writing = [self.golden, row, self.note] if writes else []
        self.box = widgets.VBox([self.which, self.summary, self.call, self.detail, *writing])
        self.refresh()

    def follow(self) -> None:
        """Show what is recorded meanwhile, a few seconds after it came, for as long as the tab is
        kept.
        """
        loop = asyncio.get_running_loop()  # the kernel's own: widgets are of its thread
        loop.call_later(FOLLOW_S, _follow, weakref.ref(self), loop)

    def look_again(self) -> None:
        """Draw again where something came."""
        found = self._prompts()  # takes in what is new
        if (live_count(self.lab.project.store), found) != self._seen:
            self.refresh()

    def _prompts(self) -> list[tuple[str, tuple[str, str | None]]]:
        from ..lab.live_view import live_prompts

        found = live_prompts(self.lab.project)
        return [(f"{name} in {env}" if env else name, (name, env)) for name, env in found]

    def draw(self) -> None:
        """What the chosen prompt's versions do, and which calls went wrong.

        The call that is looked at stays chosen with what was typed, however many came after it: a
        golden answer must not become that of another call.
        """
        if self._listing:
            return
        if self.which.value is None:
            self.summary.value = page(f"<div class='card'>{NO_CALLS}</div>")
            self.live = None
            self._offer([])
            return
        name, env = self.which.value
        self.live = self.lab.live(name, env=env)
        self.summary.value = versions_html(self.live)
        wrong = self.live.where(WRONG)
        rows = wrong.rows(_MOST)
        if self._shown is not None and all(row["id"] != self._shown for row in rows):
            quoted = str(self._shown).replace("'", "''")
            rows += wrong.where(f"id = '{quoted}'").rows(1)
        self._offer(rows)

    def _offer(self, rows: list[dict[str, Any]]) -> None:
        ids = [row["id"] for row in rows]
        at = ids.index(self._shown) if self._shown in ids else 0 if rows else None
        self._listing = True
        try:
            with self.call.hold_sync():  # the page gets the list with its choice, in one message
                self.rows = rows
                self.call.options = [(_line(row), place) for place, row in enumerate(rows)]
                self.call.value = at
        finally:
            self._listing = False
        # a list of nothing is not shown
        self.which.layout.display = None if self.which.options else "none"
        self.call.layout.display = None if rows else "none"
        self.look()

    @property
    def row(self) -> dict[str, Any] | None:
        """The call that is looked at."""
        at = self.call.value
        return self.rows[at] if at is not None and at < len(self.rows) else None

    def look(self) -> None:
        """Show the chosen call; a user's correction is offered as the golden answer."""
        if self._listing:
            return
        row = self.row
        usable = row is not None and row.get("values") is not None
        self.add.disabled, self.golden.disabled = not usable, not usable
        shown = None if row is None else row["id"]
        if shown is None or shown != self._shown:  # else what a person types is left alone
            self.golden.value = "" if row is None else row.get("correction") or ""
            self.note.value = ""
        self._shown = shown
        none = "" if self.live is None else page("<p class='dim'>No call went wrong here.</p>")
        self.detail.value = none if row is None else call_html(row)

    def added(self) -> None:
        """The call that is looked at becomes an example, once per content; the next is shown."""
        row, at = self.row, self.call.value
        if row is None or self.live is None or not self.writes:
            return
        golden = self.golden.value.strip() or None
        try:
            self._say(self.live.review(row, PATH, expected=golden))
        except PromptOpsError as error:
            self._say(str(error))
            return
        wording = self.note.value
        if at + 1 < len(self.rows):
            self.call.value = at + 1
        self.note.value = wording

    def labelled(self) -> None:
        """Users' feedback on these calls becomes labels of people."""
        if self.live is not None and self.writes:
            new = self.live.to_labels()
            self._say(f"{count(new, 'label')} {'is' if new == 1 else 'are'} new.")

    def _say(self, words: str) -> None:
        self.note.value = page(f"<p role='status' style='color:{in_text(GOOD)}'>{esc(words)}</p>")

    def refresh(self) -> None:
        """Read what was recorded meanwhile."""
        listed, chosen = self._prompts(), self.which.value
        self._seen = (live_count(self.lab.project.store), listed)
        if list(self.which.options) != listed:
            values = [value for _, value in listed]
            self._listing = True
            try:
                with self.which.hold_sync():
                    self.which.options = listed
                    self.which.value = chosen if chosen in values else next(iter(values), None)
            finally:
                self._listing = False
        self.draw()

    def static(self) -> str:
        """The versions, and the calls that went wrong as a table."""
        rows = [
            (
                esc(str(row["started_at"])[:19]),
                esc(_why(row)),
                esc(shorten(_asked(row), 80)),
                esc(shorten(row.get("output") or "", 80)),
                esc(shorten(row.get("correction") or "", 40)),
            )
            for row in self.rows[:20]
        ]
        heads: list[GridColumn | str] = [
            "called at",
            "what went wrong",
            "input",
            "answer",
            "correction",
        ]
        table = grid(heads, rows, caption="calls that went wrong, newest first") if rows else ""
        return fitting((str(self.summary.value), page(table)))

    def __repr__(self) -> str:
        return "<live calls>" if self.live is None else repr(self.live)


def _follow(me: weakref.ref[LiveTab], loop: asyncio.AbstractEventLoop) -> None:
    tab = me()
    if tab is None:
        return
    with suppress(Exception):  # a store that is busy is read the next time
        tab.look_again()
    loop.call_later(FOLLOW_S, _follow, me, loop)


def call_html(row: dict[str, Any]) -> str:
    """One call: what was asked, what came back, and feedback."""
    facts = [
        f"v{row['version']}"
        if row.get("version")
        else str(row.get("version_id") or "unknown")[:11],
        str(row["started_at"])[:19],
        words.duration(row["latency_ms"] / 1000) if row.get("latency_ms") is not None else "",
        row.get("model_returned") or row.get("model") or "",
        row.get("failure") or "",
        {0.0: "voted bad", 1.0: "voted good"}.get(row.get("good"), ""),  # type: ignore[arg-type]
    ]
    parts = [f"<p class='dim'>{esc(' · '.join(filter(None, facts)))}</p>"]
    for name, text in (
        ("input", _asked(row)),
        ("answer", row.get("output")),
        ("failure", row.get("failure_detail")),
        ("correction", row.get("correction")),
    ):
        if text:
            parts.append(f"<p class='dim'>{name}</p><pre>{esc(str(text)[:_READ])}</pre>")
    if row.get("values") is None:
        parts.append(
            "<p>Its values were not kept, so that it cannot become an example: <code>"
            "promptops.observe(client, content=...)</code> keeps a share of them.</p>"
        )
    return page("".join(parts))


def _asked(row: dict[str, Any]) -> str:
    """The values of the variables, as text."""
    try:
        values = json.loads(row.get("values") or "null")
    except ValueError:
        return ""
    if not isinstance(values, dict):
        return ""
    return "\n".join(f"{name}: {value}" for name, value in values.items())


def _line(row: dict[str, object]) -> str:
    asked = " ".join(_asked(row).split())
    return f"{str(row['started_at'])[5:16]} · {_why(row)} · {shorten(asked, 60)}"


def _why(row: dict[str, object]) -> str:
    """What went wrong, in a word or two."""
    why = row.get("failure") or ("voted bad" if row.get("good") == 0 else "")
    return str(why or ("corrected" if row.get("correction") else "scored low"))
