"""A playground: edit a version on the left, see what a few examples give with one or more models on
the right, know the cost before the click, and save it with a note.

Each answer is recorded as any other call is, and an equal question that was asked before costs
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..analysis import words
from ..errors import PromptOpsError
from ..lab.answer import Answer
from ..markup import esc, shorten
from ..study.ask import Asker
from ..version import PromptVersion
from ..version.edited import editable, with_texts
from .controls import button, choice, offered, react, wrapping
from .display import View, fitting
from .theme import page

if TYPE_CHECKING:
    import ipywidgets as widgets

    from ..dataset import Dataset, Example
    from ..lab.lab import Lab
    from ..lab.prompt import SavedVersion

__all__ = ["PlaygroundView"]

_ROWS = 3  # examples that are tried at once
_OFFERED = 200  # examples to choose from
_TOGETHER = 8  # questions in flight
_TEXT = 2_000  # characters of an answer that are shown


class PlaygroundView(View):
    """The widget. box: its container; writes: whether a version may be saved from it.

    Args:
        lab: the lab that asks and records.
        prompt: the prompt's name; its newest version is opened.
        dataset: where the examples come from; the dataset of the prompt's newest study by default.
        models: the models to ask; the version's own by default.
    """

    def __init__(
        self,
        lab: Lab,
        prompt: str,
        dataset: Dataset | None = None,
        models: Sequence[str] = (),
        *,
        writes: bool = True,
    ) -> None:
        import ipywidgets as widgets

        self.lab, self.prompt, self.writes = lab, prompt, writes
        self.dataset = dataset if dataset is not None else _newest_dataset(lab, prompt)
        versions = lab.prompt(prompt).versions
        if not versions:
            raise PromptOpsError(
                f"{prompt!r} has no version to play with; save one first:"
                f" lab.prompt({prompt!r}).save(...)."
            )
        self._controls(versions, models)
        left = [self.version, self.texts, *([self.note, self.save] if writes else [])]
        right = [self.models, *self.examples, self.ask, self.price, self.answers]
        half = widgets.Layout(flex="1 1 380px", min_width="0", width="auto")
        columns = [widgets.VBox(side, layout=half) for side in (left, right)]
        self.box = widgets.VBox([wrapping(*columns), self.status])
        self._open()

    def _controls(self, versions: Sequence[SavedVersion], models: Sequence[str]) -> None:
        """What is edited and asked, and what each change of it does."""
        import ipywidgets as widgets

        wide = widgets.Layout(width="auto")
        self.version = choice(
            "version",
            [(each.label, each.number) for each in versions],
            value=versions[-1].number,
            width="220px",
        )
        self.texts = widgets.VBox()
        self.models = widgets.Text(
            value=", ".join(models or (versions[-1].version.model or "",)),
            description="models",
            placeholder="one or more, separated by commas",
            continuous_update=False,
            layout=wide,
        )
        self.examples = tuple(self._chooser(place) for place in range(_ROWS))
        self.ask = widgets.Button(description="Ask", icon="play", button_style="primary")
        self.ask.on_click(lambda _button: self.run())
        self.note = widgets.Text(placeholder="what is new in it", description="note", layout=wide)
        self.save = button("Save as new version", self._save, icon="save")
        self.price, self.answers, self.status = widgets.HTML(), widgets.HTML(), widgets.HTML()
        react([self.version], self._open)
        react([self.models, *self.examples], self._estimate)

    def static(self) -> str:
        """The answers as they are shown."""
        return fitting((self.price.value, self.answers.value))

    def __repr__(self) -> str:
        return f"<playground of {self.prompt}>"

    # -- what is asked

    def edited(self) -> PromptVersion:
        """The version with the texts of the boxes.

        Raises:
            VersionError, TemplateError: the texts make no version.
        """
        version = self.lab.prompt(self.prompt)[self.version.value].version
        return with_texts(version, [box.value for box in self.texts.children])

    def variants(self) -> list[tuple[str, PromptVersion]]:
        """(model, version) of each model that is named."""
        version = self.edited()
        names = [name.strip() for name in self.models.value.split(",") if name.strip()]
        return [(name, version.but(model=name)) for name in dict.fromkeys(names)]

    def chosen(self) -> list[Example]:
        """The examples that are chosen, each once."""
        if self.dataset is None:
            return []
        ids = dict.fromkeys(each.value for each in self.examples if each.value)
        return [self.dataset.get(id) for id in ids]

    def run(self) -> None:
        """Ask every example of every model, together, and show the answers."""
        self.status.value = page("<p class='dim'>asking …</p>")
        try:
            variants, examples = self.variants(), self.chosen()
        except PromptOpsError as error:
            self.status.value = page(f"<p role='alert'>{esc(error)}</p>")
            return
        cells = [(example, version) for example in examples for _, version in variants]
        with ThreadPoolExecutor(_TOGETHER) as pool:
            answers = list(pool.map(lambda cell: self._answer(*cell), cells))
        self.answers.value = page(_grid(examples, [name for name, _ in variants], answers))
        self.status.value = ""
        self._estimate()

    def _answer(self, example: Example, version: PromptVersion) -> Answer | str:
        """The answer, or why it is missing."""
        try:
            values = self._values(version, example)
            run, reused = Asker(self.lab.project).call(
                version, values, prompt=self.prompt, label="playground", fresh=False
            )
        except PromptOpsError as error:
            return str(error)
        return Answer(run, label="playground", reused=reused)

    def _values(self, version: PromptVersion, example: Example) -> dict[str, object]:
        return self.dataset.values_for(version, example) if self.dataset is not None else {}

    # -- what is shown

    def _chooser(self, place: int) -> widgets.Dropdown:
        import ipywidgets as widgets

        rows = list(self.dataset or [])[:_OFFERED]
        options = [("none", ""), *((_named(example), example.id) for example in rows)]
        return widgets.Dropdown(
            options=offered(options),
            value=rows[place].id if place < len(rows) else "",
            description=f"example {place + 1}",
            layout=widgets.Layout(width="auto"),
        )

    def _open(self) -> None:
        """Put the chosen version's texts into the boxes."""
        import ipywidgets as widgets

        version = self.lab.prompt(self.prompt)[self.version.value].version
        boxes = []
        for role, text in editable(version):
            box = widgets.Textarea(
                value=text,
                description=role,
                rows=min(max(text.count("\n") + 3, 4), 16),
                layout=widgets.Layout(width="auto"),
            )
            box.observe(lambda _change: self._estimate(), names="value")
            boxes.append(box)
        self.texts.children = tuple(boxes)
        self._estimate()

    def _estimate(self) -> None:
        """What a click would do and cost."""
        try:
            variants, examples = self.variants(), self.chosen()
            if not variants or not examples or self.dataset is None:
                wording = "Name a model and choose an example."
            else:
                ids = {example.id for example in examples}
                rows = self.dataset.filter(lambda example: example.id in ids)
                wording = _said(self.lab, [version for _, version in variants], rows)
            self.ask.disabled = not variants or not examples
        except PromptOpsError as error:
            wording, self.ask.disabled = str(error), True
        self.price.value = page(f"<p class='dim'>{esc(wording)}</p>")

    def _save(self) -> None:
        if not self.writes:
            return
        shown = self.lab.prompt(self.prompt)
        before = len(shown)
        try:
            saved = shown.save(self.edited(), note=self.note.value.strip())
        except (PromptOpsError, OSError) as error:
            self.status.value = page(f"<p role='alert'>{esc(error)}</p>")
            return
        new = len(shown) > before
        wording = f"{saved.label} is saved." if new else f"{saved.label} has this content already."
        self.version.options = [(each.label, each.number) for each in shown.versions]
        self.version.value = saved.number
        self.status.value = page(f"<p role='status'><b>{esc(wording)}</b></p>")


def _newest_dataset(lab: Lab, prompt: str) -> Dataset | None:
    """Of the newest study of the prompt."""
    study = next((study for study in lab.studies if study.record.prompt == prompt), None)
    return study.recorded.dataset if study is not None else None


def _named(example: Example) -> str:
    return f"{example.id}: {shorten(' '.join(map(str, example.inputs.values())), 60)}"


def _said(lab: Lab, versions: list[PromptVersion], rows: Dataset) -> str:
    found = lab.estimate(versions, rows)
    reused = f", {found.reused:,} known already" if found.reused else ""
    money = words.money_between(*found.cost_usd) if found.cost_usd else "unknown cost"
    return f"A click makes {words.count(found.calls, 'call')}{reused}: {money}."


def _grid(
    examples: Sequence[Example], models: Sequence[str], answers: Sequence[Answer | str]
) -> str:
    """A block per example: the question, the golden answer, and each model's answer."""
    blocks, rest = [], iter(answers)
    for example in examples:
        asked = "\n".join(str(value) for value in example.inputs.values())
        golden = (
            f"<div><span class='dim'>golden answer</span><pre>{_cell(example.expected)}</pre></div>"
            if example.expected is not None
            else ""
        )
        sides = "".join(
            f"<div><span class='dim'>{esc(model)}</span>{_shown(answer)}</div>"
            for model, answer in zip(models, rest, strict=False)
        )
        blocks.append(
            f"<div class='po-lost'><code>{esc(example.id)}</code><pre>{_cell(asked)}</pre>"
            f"<div class='po-pairs'>{golden}{sides}</div></div>"
        )
    return "".join(blocks)


def _shown(answer: Answer | str) -> str:
    if isinstance(answer, str):
        return f"<p role='alert'>{esc(answer)}</p>"
    reused = " · asked before, no cost now" if answer.reused else ""
    return (
        f"<pre>{_cell(answer.text)}</pre><span class='dim ci'>{esc(answer.facts())}{reused}</span>"
    )


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return esc(shorten(text, _TEXT)) or "<i>no answer</i>"
