"""The examples of a study: a page at a time, filtered, and two answers side by side with what differs marked.

A failure becomes a test in one click: pin it as must-pass, or save it with a corrected golden answer. Keys: j and k move,
1 to 9 choose a row, n and p turn the page, c shows only what changed, l only what was lost, a all, ? the keys.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..diff import words as word_diff
from ..errors import PromptOpsError
from ..markup import esc, shorten
from .theme import BAD, GOOD, NEUTRAL, UNSURE, chip, colour, page

if TYPE_CHECKING:
    from ..lab.examples import Examples, Page, Row, Side, SideBySide
    from ..lab.study import Study

__all__ = ["ExamplesView", "detail_html", "table_html"]

SIZE = 12
_SHOWN = 4_000  # characters of an output that a cell holds
KEYS = ("j", "k", "n", "p", "a", "c", "l", "w", "?", "ArrowDown", "ArrowUp", *"123456789")
HELP = "j/k next and previous · 1-9 choose a row · n/p page · a all · c changed · l lost · w won · ? these keys"
_KINDS = (("all", "all"), ("changed", "changed"), ("got worse", "lost"), ("got better", "won"), ("not passed", "failing"), ("unscored", "unscored"))  # fmt: skip


class ExamplesView:
    """The widget of one study's examples. box: its container; pane: table and detail; writes: whether it may pin and save."""

    def __init__(self, study: Study, examples: Examples | None = None, *, writes: bool = True) -> None:
        import ipywidgets as widgets

        from .pane import Pane

        self.study, self.writes = study, writes
        self.examples = examples or study.examples()
        self.first, self.at, self.help, self.said = 0, 0, False, ""
        self.rows: tuple[Row, ...] = ()
        wide: dict[str, Any] = {"layout": widgets.Layout(width="auto")}
        self.kind = widgets.Dropdown(options=_KINDS, value="all", description="show", layout=widgets.Layout(width="180px"), style={"description_width": "40px"})  # fmt: skip
        self.text = widgets.Text(placeholder="search outputs, inputs, ids", continuous_update=False, layout=widgets.Layout(width="220px"))
        self.tag = _choice("tag", [("any", ""), *((shorten(tag, 40), tag) for tag in self.examples.tags)])
        self.failure = _choice("failure", [("any", ""), *((name, name) for name in self.examples.failures)])
        self.scorer = _choice("by", [(shorten(name, 40), name) for name in study.scorers] or [("none", "")])
        self.previous = widgets.Button(description="‹ previous", **wide)
        self.next = widgets.Button(description="next ›", **wide)
        self.pin = widgets.Button(
            description="Pin as must-pass",
            icon="thumb-tack",
            tooltip="No candidate may fail this example where the baseline passes",
            **wide,
        )
        self.golden = widgets.Textarea(placeholder="the answer that is right", layout=widgets.Layout(width="100%", height="64px"))
        self.file = widgets.Text(value=str(study.dataset_file() or ""), placeholder="the dataset's file (.jsonl, .csv)", layout=widgets.Layout(width="360px"))  # fmt: skip
        self.save = widgets.Button(description="Save golden answer", icon="check", tooltip="Write it into the dataset's file", **wide)
        self.pane = Pane(self._pressed, keys=KEYS, label="examples; press ? for the keys")
        for control in (self.kind, self.text, self.tag, self.failure, self.scorer):
            control.observe(lambda _change: self.show(first=0), names="value")
        self.previous.on_click(lambda _button: self._turn(-1))
        self.next.on_click(lambda _button: self._turn(1))
        self.pin.on_click(lambda _button: self._pin())
        self.save.on_click(lambda _button: self._save())
        filters = widgets.HBox([self.kind, self.text, self.tag, self.failure, self.scorer], layout=widgets.Layout(flex_flow="row wrap"))
        writing = [widgets.HBox([self.pin]), self.golden, widgets.HBox([self.file, self.save], layout=widgets.Layout(flex_flow="row wrap"))]
        self.box = widgets.VBox([filters, widgets.HBox([self.previous, self.next]), self.pane, *(writing if writes else [])])
        self.show()

    # -- what is shown

    @property
    def chosen(self) -> str | None:
        """The id of the example that is open."""
        return self.rows[self.at].example_id if self.rows else None

    def show(self, *, first: int | None = None, at: int = 0) -> None:
        """Read a page and draw it."""
        self.first = self.first if first is None else first
        try:
            found = self.examples.page(self._filter(), first=self.first, size=SIZE)
        except PromptOpsError as error:
            self.pane.html = page(f"<p>{esc(error)}</p>")
            return
        self.rows, self.page = found.rows, found
        self.at = min(at, max(len(found.rows) - 1, 0))
        self.said = ""
        self._draw(new=True)

    def _filter(self) -> Any:
        from dataclasses import replace

        return replace(self.examples.everything, kind=self.kind.value, text=self.text.value, tag=self.tag.value, failure=self.failure.value, scorer=self.scorer.value)  # fmt: skip

    def _draw(self, *, new: bool = False) -> None:
        detail = self.examples.detail(self.chosen) if self.chosen else None
        pinned = self.chosen in self._pinned()
        self.previous.disabled, self.next.disabled = self.first == 0, self.first + SIZE >= self.page.total
        self.pin.disabled, self.save.disabled = detail is None, detail is None
        self.pin.description = "Unpin" if pinned else "Pin as must-pass"
        if new and detail is not None:
            self.golden.value = _golden(detail.example.expected if detail.example else None)
        said = f"<p role='status'><b>{esc(self.said)}</b></p>" if self.said else ""
        keys = f"<p class='dim'>{esc(HELP)}</p>" if self.help else ""
        shown = detail_html(detail, self.study, pinned=pinned) if detail else ""
        self.pane.html = page(table_html(self.page, self.at, self.examples) + keys + said + shown)

    def _pinned(self) -> tuple[str, ...]:
        lab = self.study._lab
        return lab._registry.policy(self.study.prompt).must_pass if self.study.prompt in lab._registry.names() else ()

    # -- what is done

    def _pressed(self, key: str) -> None:
        kinds = {"a": "all", "c": "changed", "l": "lost", "w": "won"}
        if key in ("j", "ArrowDown"):
            self._move(1)
        elif key in ("k", "ArrowUp"):
            self._move(-1)
        elif key in ("n", "p"):
            self._turn(1 if key == "n" else -1)
        elif key in kinds:
            self.kind.value = kinds[key]
        elif key == "?":
            self.help = not self.help
            self._draw()
        elif key.startswith("row:") and key[4:].isdecimal():
            self._choose(int(key[4:]))
        elif key.isdecimal():
            self._choose(int(key) - 1)

    def _choose(self, at: int) -> None:
        if 0 <= at < len(self.rows):
            self.at, self.said = at, ""
            self._draw(new=True)

    def _move(self, step: int) -> None:
        if 0 <= self.at + step < len(self.rows):
            self._choose(self.at + step)
        elif step > 0 and not self.next.disabled:
            self._turn(1)
        elif step < 0 and not self.previous.disabled:
            self.show(first=max(self.first - SIZE, 0), at=SIZE - 1)

    def _turn(self, step: int) -> None:
        first = self.first + step * SIZE
        if 0 <= first < self.page.total:
            self.show(first=first)

    def _pin(self) -> None:
        name = self.chosen
        if name is None or not self.writes:
            return
        pinned = name in self._pinned()
        self._do(
            lambda: (self.study.unpin if pinned else self.study.pin)(name),
            f"{name} is {'no longer' if pinned else 'now'} a must-pass example of {self.study.prompt}; the policy is in the registry file.",
        )

    def _save(self) -> None:
        name = self.chosen
        if name is None or not self.writes:
            return
        example = self.examples.example(name)
        expected = _read_golden(self.golden.value, example.expected if example else None)
        self._do(
            lambda: self.study.correct(name, expected, self.file.value.strip() or None), f"{name} is saved with its new golden answer; evaluate again to score by it."
        )  # fmt: skip

    def _do(self, action: Any, said: str) -> None:
        try:
            action()
            self.said = said
        except (PromptOpsError, OSError, ValueError) as error:
            self.said = str(error)
        self._draw()


def _choice(name: str, options: Any) -> Any:
    import ipywidgets as widgets

    return widgets.Dropdown(options=options, value=options[0][1], description=name, layout=widgets.Layout(width="190px"), style={"description_width": "48px"})  # fmt: skip


def table_html(found: Page, at: int, examples: Examples) -> str:
    """A page of rows; the one at place `at` is selected."""
    if not found.rows:
        what = "No example is like that: choose other filters." if found.all else "No run is recorded yet: evaluate first."
        return f"<p class='dim'>{what}</p>"
    old = examples.baseline["label"] if examples.baseline else None
    new = examples.candidate["label"]
    head = f"<tr><th class='num'>#</th><th>example</th><th>asked</th><th class='num'>{esc(new)}</th>" + (
        f"<th class='num'>{esc(old)}</th><th class='num'>change</th></tr>" if old else "</tr>"
    )
    rows = "".join(_row(row, place, place == at, old is not None) for place, row in enumerate(found.rows))
    span = f"{found.first + 1:,} to {found.first + len(found.rows):,} of {found.total:,}"
    cut = f" (of {found.all:,} in the study)" if found.total < found.all else ""
    return (
        f"<p class='dim'>{span} {'example' if found.total == 1 else 'examples'}{cut}, biggest loss first · press ? for keys</p>"
        f"<div class='po-list'><table role='grid'><thead>{head}</thead><tbody>{rows}</tbody></table></div>"
    )


def _row(row: Row, place: int, selected: bool, paired: bool) -> str:
    cells = f"<td class='num'>{_said(row.new, row.new_failure)}</td>"
    if paired:
        cells += f"<td class='num'>{_said(row.old, row.old_failure)}</td><td class='num'>{_moved(row.gain)}</td>"
    return (
        f"<tr data-press='row:{place}' aria-selected='{str(selected).lower()}' style='cursor:pointer'><td class='num dim'>{place + 1}</td>"
        f"<td><b>{esc(row.example_id)}</b></td><td class='po-cut'>{esc(shorten(row.asked, 110))}</td>{cells}</tr>"
    )


def _said(value: float | None, failure: str) -> str:
    if value is None:
        return f"<span style='color:{UNSURE}'>{esc(failure or 'unscored')}</span>"
    said = words.number(value, 2) if 0 < value < 1 else f"{value:.0f}"
    return esc(said) + (f" <span class='dim'>{esc(failure)}</span>" if failure else "")


def _moved(gain: float | None) -> str:
    if gain is None:
        return "–"
    if abs(gain) <= 1e-12:
        return "<span class='dim'>=</span>"
    return f"<span style='color:{GOOD if gain > 0 else BAD}'>{'▲' if gain > 0 else '▼'} {esc(words.signed(gain, 2))}</span>"


def detail_html(detail: SideBySide, study: Study, *, pinned: bool = False) -> str:
    """One example: what was asked, what was expected, both answers with the words that differ marked, and their scores."""
    example = detail.example
    pin = f" {chip('must-pass', UNSURE)}" if pinned else ""
    tags = f" <span class='dim'>{esc(', '.join(example.tags))}</span>" if example and example.tags else ""
    asked = "".join(f"<p class='dim'>{esc(name)}</p><pre>{_text(value)}</pre>" for name, value in _inputs(detail, study))
    golden = f"<p class='dim'>expected</p><pre>{_text(example.expected)}</pre>" if example and example.expected is not None else ""
    sides = [side for side in (detail.new, detail.old) if side is not None]
    pieces = word_diff(sides[1].output or "", sides[0].output or "") if len(sides) == 2 else None
    shown = "".join(
        f"<div>{_side(side, _marked(pieces, 'removed' if place == 0 else 'added') if pieces else _text(side.output), study)}</div>"
        for place, side in enumerate(sides)
    )
    return f"<h3>{esc(detail.example_id)}{pin}{tags}</h3>{asked}{golden}<div class='po-two'>{shown}</div>"


def _inputs(detail: SideBySide, study: Study) -> list[tuple[str, Any]]:
    """The inputs that went into a prompt; all of them where no version is known."""
    if detail.example is None:
        return []
    names: set[str] = set()
    for arm in study.config["arms"]:
        version = study.version_of(arm["version"])
        names |= {variable.name for variable in version.variables} if version else set()
    inputs = detail.example.inputs
    return [(name, value) for name, value in inputs.items() if name in names] or list(inputs.items())


def _side(side: Side, shown: str, study: Study) -> str:
    number = next((arm.get("number") or place + 1 for place, arm in enumerate(study.config["arms"]) if arm["label"] == side.label), None)
    failed = f"<p style='color:{BAD}'>{esc(side.failure)}: {esc(shorten(side.detail, 300))}</p>" if side.failure else ""
    scores = "".join(
        f"<tr><td>{esc(score.scorer)}</td><td class='num' style='color:{_tint(score.value, score.passed)}'>{_value(score.value, score.passed)}</td><td class='dim'>{esc(shorten(score.reason, 400))}</td></tr>"
        for score in side.scores
    )
    tokens = (
        f"{side.tokens_in:,} + {side.tokens_out:,} tokens"
        if side.tokens_in is not None and side.tokens_out is not None
        else "tokens unknown"
    )
    latency = words.duration(side.latency_ms / 1000 if side.latency_ms is not None else None)
    facts = " · ".join((words.money(side.cost_usd), latency, tokens, words.count(side.attempts, "attempt")))
    sent = "".join(f"<p class='dim'>{esc(role)}</p><pre>{_text(text)}</pre>" for role, text in side.request)
    tries = "".join(
        f"<tr><td class='num'>{a.number}</td><td>{esc(a.failure or 'answered')}</td><td class='num'>{esc(words.duration(a.latency_ms / 1000))}</td><td class='dim'>{esc(shorten(a.detail or '', 200))}</td></tr>"
        for a in side.tries
    )
    return (
        f"<p>{chip(side.label, colour(number))}</p><pre>{shown or '<i>no answer</i>'}</pre>{failed}<table>{scores}</table><p class='dim'>{esc(facts)}</p>"
        f"<details><summary>messages as sent</summary>{sent}</details>"
        f"<details><summary>{words.count(len(side.tries), 'attempt')}</summary><table>{tries}</table></details>"
    )


def _tint(value: float | None, passed: bool | None) -> str:
    return NEUTRAL if value is None else GOOD if (value >= 1 if passed is None else passed) else BAD


def _value(value: float | None, passed: bool | None) -> str:
    if value is None:
        return "unscored"
    said = "" if passed is None else "passed " if passed else "failed "
    return esc(said + words.number(value, 3))


def _marked(pieces: list[tuple[str, str]], hidden: str) -> str:
    """One side of a word diff: its own words marked, the other side's left out."""
    marks = {"added": "<ins>{}</ins>", "removed": "<del>{}</del>", "same": "{}"}
    left, out = _SHOWN, []
    for tag, text in pieces:
        if tag == hidden:
            continue
        out.append(marks[tag].format(esc(text[:left])))
        left -= len(text)
        if left <= 0:
            out.append("<i> … cut here</i>")
            break
    return "".join(out)


def _text(value: Any) -> str:
    if value is None:
        return "<i>no answer</i>"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return esc(text[:_SHOWN]) + ("<i> … cut here</i>" if len(text) > _SHOWN else "")


def _golden(expected: Any) -> str:
    return expected if isinstance(expected, str) else "" if expected is None else json.dumps(expected, ensure_ascii=False)


def _read_golden(text: str, before: Any) -> Any:
    """What was typed, as the kind of value that it was: an object stays an object, text stays text."""
    if isinstance(before, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
