"""What serves where, and the two steps that change it: promote with the gate's answer before the
click, roll back in one.

Both ask once more in the same place before they act; who has only this view sees what is in prod,
since when, and why.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import esc, shorten
from ..review.review import gate_says
from .controls import button, choice, field, offered, react, sized, wrapping
from .display import View, fitting
from .grid import grid, short
from .registry_view import history_html
from .theme import BAD, GOOD, UNSURE, chip, colour, in_text, page
from .time_axis import time_axis

if TYPE_CHECKING:
    from collections.abc import Callable

    import ipywidgets as widgets

    from ..lab.deployments import Deployment, History
    from ..lab.lab import Lab
    from ..study.project import Project

__all__ = ["EnvironmentsView", "gate_html", "serving_html", "serving_line", "timeline"]

_SHOWN = 24  # deployments in the timeline


class EnvironmentsView(View):
    """The widget of one prompt's environments. box: its container; writes: whether it may promote
    and roll back; drawn: called after the registry was read again, for views beside this one.
    """

    def __init__(
        self,
        lab: Lab,
        prompt: str = "",
        *,
        writes: bool = True,
        drawn: Callable[[], object] = lambda: None,
    ) -> None:
        import ipywidgets as widgets

        self.lab, self.writes, self.message = lab, writes, ""
        self._drawn = drawn
        self._asked = ""
        chosen, steps = self._chosen(prompt), self._steps()
        self.view, self.status = widgets.HTML(), widgets.HTML()
        self.box = widgets.VBox(
            [wrapping(*chosen), self.status, self.view, *(steps if writes else [])]
        )
        self._of_prompt()

    def _chosen(self, prompt: str) -> list[widgets.Widget]:
        """The controls that choose the prompt and the environment that are shown."""
        import ipywidgets as widgets

        names = list(self.lab.project.registry.names())
        self.prompt = choice("prompt", names or [""], value=prompt or None, width="300px")
        self.env = widgets.Combobox(
            value="prod",
            options=("prod", "staging", "dev"),
            description="environment",
            ensure_option=False,
            layout=sized("260px"),
            style={"description_width": "90px"},
        )
        react([self.prompt], self._of_prompt)
        react([self.env], self.refresh)
        return [self.prompt, self.env]

    def _steps(self) -> list[widgets.Widget]:
        """The controls of the two steps, and the gate's answer between them."""
        import ipywidgets as widgets

        self.version = choice("version", [("–", 0)], width="360px")
        self.study = choice("evidence", [("–", "")], width="320px")
        self.percent = widgets.BoundedFloatText(
            value=0,
            min=0,
            max=99.99,
            description="canary %",
            layout=sized("170px"),
            tooltip="0: everyone",
        )
        self.gate = widgets.HTML()
        self.reason = field("why, for the history", width="340px")
        self.promote = button("Promote", self._promote, icon="arrow-up")
        self.rollback = button("Roll back", self._roll_back, icon="undo")
        self.cancel = button("Cancel", self._settle)
        self.cancel.layout.display = "none"
        react([self.version, self.study], self.refresh)
        react([self.percent], self._settle)  # the question named the share
        react([self.reason, self.percent], self._redraw)
        return [
            wrapping(self.version, self.study, self.percent),
            self.gate,
            wrapping(self.reason, self.promote, self.rollback, self.cancel),
        ]

    # -- what is shown

    def static(self) -> str:
        """What serves, its history, and the gate's answer."""
        return fitting((self.view.value, self.gate.value))

    def __repr__(self) -> str:
        return f"<environments of {self.prompt.value or 'no prompt'}>"

    def _of_prompt(self) -> None:
        name = self.prompt.value
        versions = self.lab.prompt(name).versions if name else []
        self.version.options = [
            (f"{v.label}{' · ' + shorten(v.note, 40) if v.note else ''}", v.number)
            for v in reversed(versions)
        ] or [("–", 0)]
        studies = [study for study in self.lab.studies if study.record.prompt == name][:50]
        self.study.options = offered([*((one.name, one.id) for one in studies), ("no study", "")])
        self.version.index = self.study.index = 0
        envs = list(self.lab.project.registry.environments(name)) if name else []
        self.env.options = tuple(dict.fromkeys([*envs, "prod", "staging", "dev"]))
        self.refresh()

    def refresh(self, wording: str = "") -> None:
        """Read the registry again and draw it."""
        self._settle()
        self.message = wording
        self.status.value = page(f"<p role='status'><b>{esc(wording)}</b></p>") if wording else ""
        self._drawn()
        name, env = self.prompt.value, self.env.value.strip()
        if not name:
            self.view.value = page("<p class='dim'>No prompt is saved yet.</p>")
            return
        try:
            history = self.lab.history(name, env=env)
            self.view.value = page(
                serving_html(self.lab.project, name) + timeline(history)
            ) + history_html(history)
            self.gate.value = page(self._gate())
        except PromptOpsError as error:
            self.view.value = page(f"<p role='alert'>{esc(error)}</p>")

    def _redraw(self) -> None:
        """The gate's answer follows what is typed."""
        if self.prompt.value:
            self.gate.value = page(self._gate())

    def _gate(self) -> str:
        name, env = self.prompt.value, self.env.value.strip()
        if not self.version.value or not self.writes:
            return ""
        version = self.lab.prompt(name)[self.version.value]
        serving = self.lab.project.registry.serving(name, env)
        same = serving is not None and serving.id == version.id
        self.promote.disabled = same
        self.rollback.disabled = serving is None
        if same:
            return (
                f"<p class='dim'>{chip(version.label, colour(version.number))} serves in {esc(env)}"
                " already.</p>"
            )
        points = self._points(version, env, self.reason.value.strip())
        wording = (
            ""
            if self.study.value or not points
            else "<p class='dim'>Choose the study that is its evidence.</p>"
        )
        return wording + gate_html(points, version.label, env, serving.label if serving else None)

    def _points(self, version: Any, env: str, override: str) -> tuple[str, ...]:
        """What the gate would say to the click, with the text of the reason box as the override."""
        study = self.lab.study(self.study.value) if self.study.value else None
        try:
            percent = self.percent.value or None
            recorded = study.wait().recorded if study is not None else None
            wording = gate_says(
                self.lab.project, version, env, recorded, override=override, percent=percent
            )
        except PromptOpsError as error:
            wording = (str(error),)
        return tuple(
            point.replace('override="reason"', "a reason in the box below") for point in wording
        )

    # -- what is done

    def _promote(self) -> None:
        version, env = (
            self.lab.prompt(self.prompt.value)[self.version.value],
            self.env.value.strip(),
        )
        share = f" for {self.percent.value:g} % of the keys" if self.percent.value else ""
        if not self._sure("promote", self.promote, f"Yes: {version.label} to {env}{share}"):
            return
        options: dict[str, Any] = {
            "reason": self.reason.value.strip(),
            "percent": self.percent.value or None,
        }
        if options["reason"] and self._points(version, env, options["reason"]) != self._points(
            version, env, ""
        ):
            options["override"] = options[
                "reason"
            ]  # what was undone or refused is asked for on purpose, and says why
        study = self.lab.study(self.study.value) if self.study.value else None
        self._do(lambda: self.lab.promote(version, env=env, study=study, **options))

    def _roll_back(self) -> None:
        name, env = self.prompt.value, self.env.value.strip()
        serving = self.lab.project.registry.serving(name, env)
        if serving is not None and self._sure(
            "rollback", self.rollback, f"Yes: undo {serving.label} in {env}"
        ):
            self._do(lambda: self.lab.rollback(name, env=env, reason=self.reason.value.strip()))

    def _sure(self, step: str, button: widgets.Button, wording: str) -> bool:
        """The first click asks, the second acts."""
        if not self.writes:
            return False
        if self._asked == step:
            return True
        self._settle()
        self._asked, button.description, button.button_style = step, wording, "warning"
        self.cancel.layout.display = ""
        return False

    def _settle(self) -> None:
        self._asked = ""
        self.promote.description, self.rollback.description = "Promote", "Roll back"
        self.promote.button_style = self.rollback.button_style = ""
        self.cancel.layout.display = "none"

    def _do(self, action: Callable[[], Deployment | None]) -> None:
        with warnings.catch_warnings(record=True) as wording:
            warnings.simplefilter("always")
            try:
                done = action()
                text = (
                    "Nothing changed."
                    if done is None
                    else (
                        str(done.entry)[1:-1]
                        if done.entry.changed
                        else done.note or "Nothing changed."
                    )
                )
            except (PromptOpsError, OSError) as error:
                text = str(error)
        noted = " ".join(
            str(warning.message) for warning in wording if str(warning.message) not in text
        )
        self.refresh(f"{text} {noted}".strip())


def gate_html(points: tuple[str, ...], label: str, env: str, incumbent: str | None) -> str:
    """The gate's answer to a promotion that nobody has asked for yet."""
    against = f" over {incumbent}" if incumbent else " as the first version there"
    if not points:
        return (
            f"<div class='card' style='--po-accent:{in_text(GOOD)}'><b class='v'>▲ the gate lets it"
            f" through</b> <span class='dim'>{esc(label)} to {esc(env)}{esc(against)}</span></div>"
        )
    listed = "".join(f"<li>{esc(point)}</li>" for point in points)
    return (
        f"<div class='card' style='--po-accent:{in_text(BAD)}'><b class='v'>▼ the gate would"
        f" refuse</b> <span class='dim'>{esc(label)} to {esc(env)}{esc(against)}</span>"
        f"<ul>{listed}</ul></div>"
    )


def serving_html(project: Project, prompt: str) -> str:
    """One row per environment: what serves, since when, who decided it and why; a canary with its
    share.
    """
    rows = []
    for env in project.registry.environments(prompt):
        now = project.registry.serving(prompt, env)
        if now is None:
            continue
        share = ""
        if now.canary is not None:
            shown = chip(f"v{now.canary.number}", colour(now.canary.number))
            share = (
                f" {shown} <span style='color:{in_text(UNSURE)}'>canary, {now.canary.percent:g} %"
                " of the keys</span>"
            )
        ground = f"evidence {now.evidence[:12]}" if now.evidence else "no evidence"
        forced = f" <b style='color:{in_text(BAD)}'>forced</b>" if now.forced else ""
        rows.append(
            (
                f"<b>{esc(env)}</b>",
                chip(now.label, colour(now.number)) + share,
                f"<span class='po-whole'>{esc(now.at[:19].replace('T', ' '))}</span>",
                esc(now.kind) + forced,
                short(now.author),
                esc(now.why),
                f"<span class='dim po-whole'>{esc(ground)}</span>",
            )
        )
    if not rows:
        return (
            f"<p class='dim'>{esc(prompt)} serves nowhere yet: <code>lab.promote(version,"
            " env=&#39;prod&#39;, study=study)</code></p>"
        )
    names = ["environment", "serves", "since (UTC)", "step", "by", "why", "on"]
    return grid(names, rows, caption=f"what serves of {prompt}, by environment")


def serving_line(project: Project, prompt: str) -> str:
    """What serves in the environment that matters most (prod, else the last one), since when, who
    decided it and why, in one line; "" if nothing serves.
    """
    names = project.registry.environments(prompt)
    env = "prod" if "prod" in names else next(reversed(list(names)), "")
    now = project.registry.serving(prompt, env) if env else None
    if now is None:
        return ""
    why = f": “{esc(shorten(now.why, 90))}”" if now.why else ""
    return (
        f"<p><b>{esc(env)}</b> serves {chip(now.label, colour(now.number))} since"
        f" {esc(now.at[:16].replace('T', ' '))} UTC <span class='dim'>({esc(now.kind)} by"
        f" {short(now.author)}{why})</span></p>"
    )


def timeline(history: History) -> str:
    """The latest deployments of an environment on an axis of time; "" before the second one."""
    entries = list(history)[-_SHOWN:]
    title = (
        f"{words.count(len(history), 'deployment')} of {history.prompt} in {history.env}, oldest"
        f" first; {entries[-1].label} serves now"
        if entries
        else ""
    )
    drawn = time_axis(entries, title)
    return f"<p class='dim'>{esc(title)}</p>{drawn}" if drawn else ""
