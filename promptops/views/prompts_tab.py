"""A prompt's versions: what changed between any two, how one renders on an example, and a new one
saved from here with a note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError
from ..markup import esc, shorten, without_data
from ..version import PromptVersion
from ..version.edited import with_texts
from .controls import button, choice, offered, react, sized, wrapping
from .display import View, fitting
from .prompt_view import prompt as versions_html
from .theme import page

if TYPE_CHECKING:
    from ..lab.lab import Lab

__all__ = ["PromptsView", "render_html"]

_EXAMPLES = 200  # offered to render on
_TEXT = 8_000


class PromptsView(View):
    """The widget of one prompt. box: its container; writes: whether versions may be saved."""

    def __init__(self, lab: Lab, prompt: str = "", *, writes: bool = True) -> None:
        import ipywidgets as widgets

        self.lab, self.writes = lab, writes
        self._examples: dict[str, Any] = {}
        names = list(lab.project.registry.names())
        self.prompt = choice("prompt", names or [""], value=prompt or None, width="300px")
        self.old = choice("from", (), width="400px")
        self.new = choice("to", (), width="400px")
        self.example = choice("example", (), width="640px")
        self.table, self.changes = widgets.HTML(), widgets.HTML()
        self.rendered, self.status = widgets.HTML(), widgets.HTML()
        writing = self._writing()
        react([self.prompt], self.open)
        react([self.old, self.example], self.draw)
        react([self.new], self._edit)
        self.box = widgets.VBox(
            [
                self.prompt,
                self.table,
                wrapping(self.old, self.new),
                self.changes,
                self.example,
                self.rendered,
                *(writing if writes else []),
                self.status,
            ]
        )
        self.open()

    def _writing(self) -> list[Any]:
        """The controls that edit the newer version and save it as another."""
        import ipywidgets as widgets

        self.texts = widgets.VBox()
        self.note = widgets.Text(
            placeholder="what is new in it", description="note", layout=sized("420px")
        )
        self.save = button("Save as new version", self._save, icon="save")
        return [
            widgets.HTML(page("<h3>Change it</h3>")),
            self.texts,
            wrapping(self.note, self.save),
        ]

    def static(self) -> str:
        """The versions, what changed between the two that are chosen, and how the newer one
        renders.
        """
        return fitting((self.table.value, self.changes.value, self.rendered.value))

    def __repr__(self) -> str:
        return f"<versions of {self.prompt.value or 'no prompt'}>"

    def open(self) -> None:
        """Read the prompt's versions."""
        if not self.prompt.value:
            self.table.value = page("<p class='dim'>No prompt is saved yet.</p>")
            return
        shown = self.lab.prompt(self.prompt.value)
        self.table.value = versions_html(shown)
        options = [
            (f"{v.label}{' · ' + shorten(v.note, 30) if v.note else ''}", v.number)
            for v in shown.versions
        ]
        self.old.options, self.new.options = options, options
        self.old.index, self.new.index = max(len(options) - 2, 0), len(options) - 1
        self._load_examples()
        self._edit()

    def _load_examples(self) -> None:
        """Those of the newest study of this prompt."""
        study = next(
            (study for study in self.lab.studies if study.record.prompt == self.prompt.value), None
        )
        rows = study.review.examples().page(size=_EXAMPLES).rows if study is not None else ()
        self._examples = {row.example_id: study for row in rows}
        named = [(f"{row.example_id}: {shorten(row.asked, 40)}", row.example_id) for row in rows]
        self.example.options = offered([("none", ""), *named])
        self.example.index = 1 if rows else 0

    def _edit(self) -> None:
        import ipywidgets as widgets

        version = self.lab.prompt(self.prompt.value)[self.new.value].version
        boxes = []
        for message in version.template:
            if isinstance(content := message.get("content"), str):
                rows = min(max(content.count("\n") + 2, 2), 14)
                box = widgets.Textarea(
                    value=content,
                    description=message["role"],
                    layout=widgets.Layout(width="auto"),
                    rows=rows,
                )
                box.observe(lambda _change: self._render(), names="value")
                boxes.append(box)
        self.texts.children = tuple(boxes)
        self.draw()

    def draw(self) -> None:
        """The difference of the two versions, and how the newer one renders."""
        if not self.prompt.value or self.old.value is None or self.new.value is None:
            return
        shown = self.lab.prompt(self.prompt.value)
        old, new = shown[self.old.value], shown[self.new.value]
        difference = old.diff(new)
        text = difference.html() if difference else "<p class='dim'>These are the same content.</p>"
        self.changes.value = page(
            f"<h3>What changed from {esc(old.label)} to {esc(new.label)}</h3>{text}"
        )
        self._render()

    def edited(self) -> PromptVersion:
        """The chosen version with the texts of the boxes.

        Raises VersionError or TemplateError.
        """
        version = self.lab.prompt(self.prompt.value)[self.new.value].version
        return with_texts(version, [box.value for box in self.texts.children])

    def _render(self) -> None:
        study = self._examples.get(self.example.value or "")
        if study is None:
            self.rendered.value = page(
                "<p class='dim'>Evaluate once, and the versions can be rendered on its examples"
                " here.</p>"
            )
            return
        try:
            example = study.review.examples().example(self.example.value)
            self.rendered.value = page(render_html(self.edited(), example, study))
        except PromptOpsError as error:
            self.rendered.value = page(f"<p role='alert'>{esc(error)}</p>")

    def _save(self) -> None:
        if not self.writes:
            return
        shown = self.lab.prompt(self.prompt.value)
        try:
            before = len(shown)
            saved = shown.save(self.edited(), note=self.note.value.strip())
            new = len(shown) > before
            text = (
                f"{saved.label} is saved."
                if new
                else f"This is {saved.label}, which is saved already."
            )
            if new:
                self.note.value = ""
                self.open()
        except (PromptOpsError, OSError) as error:
            text = str(error)
        self.status.value = page(f"<p role='status'><b>{esc(text)}</b></p>")


def render_html(version: PromptVersion, example: Any, study: Any) -> str:
    """The messages as they would be sent for an example."""
    values = study.recorded.dataset.values_for(version, example)
    rendered = version.render(values)
    parts = "".join(
        f"<p class='dim'>{esc(message['role'])}</p><pre>"
        f"{esc(without_data(str(message.get('content') or ''))[:_TEXT])}</pre>"
        for message in rendered
    )
    return (
        "<details open><summary>As it would be sent for"
        f" {esc(example.id)}</summary>{parts}</details>"
    )
