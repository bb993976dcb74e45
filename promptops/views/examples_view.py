"""The examples of a study: a page at a time, filtered, and two answers side by side with what
differs marked.

A failure becomes a test in one click: pin it as must-pass, or save it with a corrected golden
answer. Keys: j and k move, 1 to 9 choose a row, n and p turn the page, c shows only what changed, l
only what was lost, a all, ? the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import esc, plain_repr, shorten
from .controls import button, choice, field, react, wrapping
from .detail import detail_html
from .display import View, fitting
from .examples_table import diff_html, golden_text, read_golden, table_html
from .theme import page

if TYPE_CHECKING:
    import ipywidgets as widgets

    from ..dataset.correcting import Correction
    from ..lab.study import Study
    from ..study.examples import ExampleRow, StudyExamples

__all__ = ["ExamplesView", "table_html"]

SIZE = 12
KEYS = ("j", "k", "n", "p", "a", "c", "l", "w", "?", "ArrowDown", "ArrowUp", *"123456789")
HELP = (
    "j/k next and previous · 1-9 choose a row · n/p page · a all · c changed · l lost · w won · ?"
    " these keys"
)
_KINDS = (
    ("all", "all"),
    ("changed", "changed"),
    ("got worse", "lost"),
    ("got better", "won"),
    ("not passed", "failing"),
    ("unscored", "unscored"),
)


class ExamplesView(View):
    """The widget of one study's examples. box: its container; pane: table and detail; writes:
    whether it may pin and save.
    """

    def __init__(
        self, study: Study, examples: StudyExamples | None = None, *, writes: bool = True
    ) -> None:
        import ipywidgets as widgets

        from .pane import Pane

        self.study, self.writes = study, writes
        self.examples = examples or study.review.examples()
        self.first, self.at, self.help, self.message = 0, 0, False, ""
        self.rows: tuple[ExampleRow, ...] = ()
        filters, writing = self._filters(), self._writing()
        self.previous = button("‹ previous", lambda: self._turn(-1))
        self.next = button("next ›", lambda: self._turn(1))
        self.pane = Pane(self._pressed, keys=KEYS, label="examples; press ? for the keys")
        self.box = widgets.VBox(
            [
                wrapping(*filters),
                widgets.HBox([self.previous, self.next]),
                self.pane,
                *(writing if writes else []),
            ]
        )
        self.show()

    def _filters(self) -> list[widgets.Widget]:
        """The controls that choose which examples are shown, and by which scorer."""
        self.kind = choice("show", _KINDS, value="all", width="180px", name_width="40px")
        self.text = field("search outputs, inputs, ids", width="220px")
        self.tag = _filter(
            "tag", [("any", ""), *((shorten(tag, 40), tag) for tag in self.examples.tags)]
        )
        self.failure = _filter(
            "failure", [("any", ""), *((name, name) for name in self.examples.failures)]
        )
        self.scorer = _filter(
            "by",
            [(shorten(name, 60), name) for name in self.study.record.scorer_names]
            or [("none", "")],
            "330px",
        )
        filters = [self.kind, self.text, self.tag, self.failure, self.scorer]
        react(filters, lambda: self.show(first=0))
        return filters

    def _writing(self) -> list[widgets.Widget]:
        """The controls that pin the chosen example, and save it with a corrected golden answer."""
        import ipywidgets as widgets

        self.pin = button(
            "Pin as must-pass",
            self._pin,
            icon="thumb-tack",
            tooltip="No candidate may fail this example if the baseline passes it",
        )
        self.golden = widgets.Textarea(
            placeholder="the answer that is right",
            continuous_update=False,
            layout=widgets.Layout(width="auto", height="64px"),
        )
        self.file = field(
            "the dataset's file", value=str(self.study.review.dataset_file() or ""), width="360px"
        )
        self.save = button(
            "Save golden answer",
            self._save,
            icon="check",
            tooltip="Write it into the dataset's file",
        )
        self.change = widgets.HTML()  # what the button would write, before it is clicked
        react((self.golden, self.file), self._preview)
        return [
            widgets.HBox([self.pin]),
            self.golden,
            self.change,
            wrapping(self.file, self.save),
        ]

    # -- what is shown

    def static(self) -> str:
        """The page of rows, and the example that is open."""
        if not self.rows:
            return str(self.pane.html)
        detail = self.examples.detail(self.chosen) if self.chosen else None
        shown = (
            page(detail_html(detail, self.study, pinned=self.chosen in self._pinned()))
            if detail
            else ""
        )
        return fitting((page(table_html(self.page, self.at, self.examples)), shown))

    @plain_repr
    def __repr__(self) -> str:
        return (
            f"<{words.count(self.page.total if self.rows else 0, 'example')} of {self.study.name}>"
        )

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
        self.message = ""
        self._draw(new=True)

    def _filter(self) -> Any:
        from dataclasses import replace

        return replace(
            self.examples.everything,
            kind=self.kind.value,
            text=self.text.value,
            tag=self.tag.value,
            failure=self.failure.value,
            scorer=self.scorer.value,
        )

    def _draw(self, *, new: bool = False) -> None:
        detail = self.examples.detail(self.chosen) if self.chosen else None
        pinned = self.chosen in self._pinned()
        self.previous.disabled, self.next.disabled = (
            self.first == 0,
            self.first + SIZE >= self.page.total,
        )
        self.pin.disabled, self.save.disabled = detail is None, detail is None
        self.pin.description = "Unpin" if pinned else "Pin as must-pass"
        if new and detail is not None:
            self.change.value = ""
            self.golden.value = golden_text(detail.example.expected if detail.example else None)
        wording = f"<p role='status'><b>{esc(self.message)}</b></p>" if self.message else ""
        keys = f"<p class='dim'>{esc(HELP)}</p>" if self.help else ""
        shown = detail_html(detail, self.study, pinned=pinned) if detail else ""
        self.pane.html = page(
            table_html(self.page, self.at, self.examples) + keys + wording + shown
        )

    def _pinned(self) -> tuple[str, ...]:
        registry = self.study.recorded.project.registry
        known = self.study.record.prompt in registry.names()
        return registry.policy(self.study.record.prompt).must_pass if known else ()

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
            self.at, self.message = at, ""
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
            lambda: (self.study.review.unpin if pinned else self.study.review.pin)(name),
            f"{name} is {'no longer' if pinned else 'now'} a must-pass example of"
            f" {self.study.record.prompt}; the policy is in the registry file.",
        )

    def _save(self) -> None:
        name = self.chosen
        if name is None or not self.writes:
            return

        def save() -> None:
            made = self._correction(name, write=True)
            self.change.value = diff_html(made)

        self._do(
            save, f"{name} is saved with its new golden answer; evaluate again to score by it."
        )

    def _preview(self) -> None:
        """Show the lines that would change, or why none would."""
        name = self.chosen
        if name is None or not self.writes:
            return
        try:
            self.change.value = diff_html(self._correction(name, write=False))
        except (PromptOpsError, OSError) as error:
            self.change.value = page(f"<p>{esc(error)}</p>")

    def _correction(self, name: str, *, write: bool) -> Correction:
        example = self.examples.example(name)
        expected = read_golden(self.golden.value, example.expected if example else None)
        return self.study.review.correct(
            name, expected, self.file.value.strip() or None, write=write
        )

    def _do(self, action: Callable[[], object], wording: str) -> None:
        try:
            action()
            self.message = wording
        except (PromptOpsError, OSError, ValueError) as error:
            self.message = str(error)
        self._draw()


def _filter(
    name: str, options: Sequence[tuple[str, str]], width: str = "190px"
) -> widgets.Dropdown:
    return choice(name, options, value=options[0][1], width=width, name_width="48px")
