"""Labelling by keyboard: two answers without their names, or one answer under a rubric; one key a
label, the next task at once.

Which version wrote what is not in the page, not even hidden: it is known to Python alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import esc, plain_repr, without_data
from .display import View, fitting
from .theme import GOOD, NEUTRAL, UNSURE, in_text, page

if TYPE_CHECKING:
    from ..lab.study import Study
    from ..review.labelling import Labelling, LabellingTask, RaterAgreement

__all__ = ["LabelView", "among_html", "task_html"]

_TEXT = 4_000
# key -> (label, what it means on the button)
_ANSWERS = {
    "pairwise": {
        "1": ("first", "left is better"),
        "2": ("tie", "alike"),
        "3": ("second", "right is better"),
    },
    "rubric": {"1": ("pass", "good"), "2": ("partly", "partly"), "3": ("fail", "not good")},
}
KEYS = ("1", "2", "3", "s", "b", "ArrowLeft", "ArrowRight", "ArrowDown", "?")
_ARROWS = {"ArrowLeft": "1", "ArrowDown": "2", "ArrowRight": "3"}
_GRADES = {
    "firm": "firm enough to rest on",
    "tentative": "enough for tentative conclusions",
    "poor": "too little to rest on",
    "unknown": "not known yet",
}


class LabelView(View):
    """The widget of one study's labelling. box: its container; pane: the task; writes: whether
    labels are taken.
    """

    def __init__(self, study: Study, *, writes: bool = True, rater: str = "") -> None:
        import ipywidgets as widgets

        from .pane import Pane

        self.study, self.writes = study, writes
        self.labelling: Labelling | None = None
        self.task: LabellingTask | None = None
        self.message = ""
        narrow = {"description_width": "60px"}
        self.rater = widgets.Text(
            value=rater or study.recorded.project.author,
            description="you are",
            continuous_update=False,
            style=narrow,
            layout=widgets.Layout(width="300px", max_width="98%"),
        )
        kinds = [("which is better", "pairwise"), ("good or not", "rubric")]
        self.kind = widgets.Dropdown(
            options=kinds if len(study.record.arms) > 1 else kinds[1:],
            description="question",
            style=narrow,
            layout=widgets.Layout(width="240px", max_width="98%"),
        )
        self.note = widgets.Text(
            placeholder="a note for the next label, if you like",
            layout=widgets.Layout(width="380px", max_width="98%"),
        )
        self.pane = Pane(
            self._pressed, keys=KEYS, label="labelling: 1, 2 and 3 answer, s skips, b goes back"
        )
        self.among = widgets.HTML()
        for control in (self.rater, self.kind):
            control.observe(lambda _change: self.begin(), names="value")
        head = widgets.HBox([self.rater, self.kind], layout=widgets.Layout(flex_flow="row wrap"))
        self.box = widgets.VBox(
            [head, self.pane, self.note, self.among] if writes else [self.among]
        )
        self.begin()

    def static(self) -> str:
        """How far it is and how far people agree; the task itself needs the widget."""
        done = self.labelling
        far = (
            f"{done.labelled:,} of {done.total:,} labelled by {done.rater}"
            if done is not None
            else "nobody is labelling"
        )
        return fitting(
            (
                page(
                    f"<p><b>Labels of {esc(self.study.name)}</b> <span"
                    f" class='dim'>{esc(far)}</span></p>"
                ),
                str(self.among.value),
            )
        )

    @plain_repr
    def __repr__(self) -> str:
        return f"<labels of {self.study.name}>"

    def begin(self) -> None:
        """A queue for the rater who is named now."""
        try:
            self.labelling = self.study.review.label(rater=self.rater.value, kind=self.kind.value)
            self.task, self.message = self.labelling.task, ""
        except PromptOpsError as error:
            self.labelling, self.task, self.message = None, None, str(error)
        self._draw()

    def _pressed(self, key: str) -> None:
        if self.labelling is None or not self.writes:
            return
        answers = _ANSWERS[self.labelling.kind]
        key = _ARROWS.get(key, key)
        try:
            if key in answers and self.task is not None:
                self.task = self.labelling.answer(answers[key][0], self.note.value.strip())
                self.note.value = ""
            elif key == "s" and self.task is not None:
                self.task = self.labelling.skip()
            elif key == "b":
                self.task = self.labelling.back()
        except (PromptOpsError, OSError) as error:
            self.message = str(error)
        self._draw()

    def _draw(self) -> None:
        wording = f"<p role='alert'>{esc(self.message)}</p>" if self.message else ""
        if self.labelling is None:
            self.pane.html = page(wording)
        else:
            self.pane.html = page(
                wording
                + task_html(
                    self.task,
                    self.labelling.kind,
                    done=self.labelling.labelled,
                    total=self.labelling.total,
                )
            )
        kind = self.labelling.kind if self.labelling is not None else "pairwise"
        self.among.value = page(among_html(self.study.review.agreement(kind)))


def task_html(task: LabellingTask | None, kind: str, *, done: int, total: int) -> str:
    """What the rater sees now."""
    share = 100 * done / total if total else 100
    bar = (
        "<div"
        f" style='height:8px;border-radius:4px;background:{NEUTRAL}33;overflow:hidden;margin:4px 0"
        f" 8px'><div style='height:100%;width:{share:.1f}%;background:{GOOD}'></div></div>"
    )
    head = (
        f"<p class='dim' role='status'>{done:,} of {total:,} labelled · keys 1, 2, 3 · s skips · b"
        f" goes back</p>{bar}"
    )
    if task is None:
        what = (
            "Everything here is labelled. Thank you."
            if total
            else "Nothing changed between these versions, so there is no pair to label."
        )
        return f"{head}<p><b>{what}</b></p>"
    asked = "".join(
        f"<p class='dim'>{esc(name)}</p><pre>{_text(value)}</pre>" for name, value in _asked(task)
    )
    golden = (
        f"<details><summary>expected answer</summary><pre>{_text(task.expected)}</pre></details>"
        if task.expected is not None
        else ""
    )
    names = ("left", "right") if kind == "pairwise" else ("the answer",)
    outputs = "".join(
        f"<div><p class='dim'>{name}</p><pre>{_text(output)}</pre></div>"
        for name, output in zip(names, task.outputs, strict=True)
    )
    buttons = " ".join(
        f"<button type='button' data-press='{key}'><b>{key}</b> {esc(wording)}</button>"
        for key, (_, wording) in _ANSWERS[kind].items()
    )
    return (
        f"{head}{asked}{golden}<div class='po-two'>{outputs}</div><p>{buttons} <button"
        " type='button' data-press='s'><b>s</b> skip</button></p>"
    )


def _asked(task: LabellingTask) -> list[tuple[str, object]]:
    """The inputs, without those that hold a part of the golden answer."""
    parts = task.expected if isinstance(task.expected, dict) else {}
    return [(name, value) for name, value in task.inputs.items() if name not in parts]


def among_html(among: RaterAgreement) -> str:
    """How far the raters agree, in one sentence and one number with its interval."""
    if not among.labels:
        return "<p class='dim'>Nobody has labelled anything of this kind yet.</p>"
    who = ", ".join(esc(name) for name in among.raters)
    head = f"<h3>Agreement</h3><p>{words.count(among.labels, 'label')} by {who}."
    if among.equal is None:
        return (
            f"{head} <span class='dim'>Nothing was labelled by two raters yet: ask a second"
            " one.</span></p>"
        )
    alpha = among.alpha
    tint = {"firm": GOOD, "tentative": UNSURE}.get(alpha.grade, NEUTRAL)
    span = (
        f" ({alpha.low:.2f} to {alpha.high:.2f})".replace("-", "−")
        if alpha.low is not None and alpha.high is not None
        else ""
    )
    value = f"{alpha.alpha:.2f}".replace("-", "−") if alpha.alpha is not None else "not known"
    return (
        f"{head} Of {words.count(among.items, 'answer')} that two or more labelled,"
        f" {esc(words.percent(among.equal))} of the pairs of labels are equal; beyond chance,"
        f" Krippendorff’s alpha is <b style='color:{in_text(tint)}'>{esc(value)}{esc(span)}</b>:"
        f" {_GRADES[alpha.grade]}.</p>"
    )


def _text(value: object) -> str:
    if value is None:
        return "<i>no answer</i>"
    text = without_data(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    )
    return esc(text[:_TEXT]) + ("<i> … cut here</i>" if len(text) > _TEXT else "")
