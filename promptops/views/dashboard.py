"""Everything of a lab in one cell, for people who never wrote Python: studies, examples, prompts,
labels, what serves where.

A tab is built when it is first opened, and shows what the store and the registry hold then;
`Refresh` reads them again. Read-only, it has no button that writes. The saved notebook keeps a
static page in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError
from ..markup import esc, shorten
from ..monitor.drift_file import every as monitor_paths
from ..study.provenance import in_kernel
from .controls import offered
from .dashboard_head import head_html
from .display import View, fitting
from .drift_view import monitors_html
from .environments import EnvironmentsView
from .examples_view import ExamplesView
from .labels import LabelView
from .live_tab import LiveTab
from .overview import lab_html, studies_html
from .prompts_tab import PromptsView
from .study_view import arms_html
from .study_view import html as study_html
from .theme import page

if TYPE_CHECKING:
    from ..lab.lab import Lab
    from ..lab.study import Study

__all__ = ["Dashboard", "StudiesView", "dashboard"]

TABS = ("Studies", "Examples", "Prompts", "Label", "Registry", "Live", "Watch")
_STUDIES = 200  # offered to choose from
# on a phone the names of the tabs go on in a second line, whole
_TABS_WRAP = """<style>@media (max-width:700px){
.jupyter-widget-tab>.lm-TabBar,.jupyter-widget-tab>.lm-TabBar>.lm-TabBar-content{height:auto;
  max-height:none;flex-wrap:wrap}
.jupyter-widget-tab>.lm-TabBar .lm-TabBar-tab{flex:0 0 auto!important;
  width:auto!important;min-width:0}
}</style>"""


def dashboard(lab: Lab, *, writes: bool = True) -> Dashboard:
    """The app of a lab. writes: whether it may label, pin, save, promote and roll back."""
    return Dashboard(lab, writes=writes)


class Dashboard(View):
    """box: its container; study: what the first, second and fourth tab are about; views: tab -> its
    view, once it was opened.
    """

    def __init__(self, lab: Lab, *, writes: bool = True) -> None:
        import ipywidgets as widgets

        self.lab, self.writes = lab, writes
        self.views: dict[str, Any] = {}
        self.picker = widgets.Dropdown(
            description="study",
            layout=widgets.Layout(width="440px", max_width="98%"),
            style={"description_width": "50px"},
        )
        self.refresh = widgets.Button(
            description="Refresh",
            icon="refresh",
            tooltip="Read store and registry again",
            layout=widgets.Layout(width="auto"),
        )
        self.tab = widgets.Tab(children=tuple(widgets.VBox() for _ in TABS), titles=TABS)
        self.picker.observe(lambda _change: self._of_study(), names="value")
        self.refresh.on_click(lambda _button: self.reload())
        self.tab.observe(lambda _change: self.open(), names="selected_index")
        self.message = widgets.HTML()
        choose = widgets.HBox(
            [self.picker, self.refresh], layout=widgets.Layout(flex_flow="row wrap")
        )
        self.head = widgets.HTML()
        self.box = widgets.VBox([self.head, choose, self.message, self.tab])
        self._silent = False
        self.reload()

    @property
    def study(self) -> Study | None:
        """What is chosen; None before the first study."""
        return self.lab.study(self.picker.value) if self.picker.value else None

    def reload(self) -> None:
        """Read the studies again and rebuild the open tab."""
        chosen = self.picker.value
        frame = self.lab.studies.frame
        readable = frame[frame["status"] != "unreadable"]  # those are in the list of all studies
        rows = list(readable.head(_STUDIES).itertuples(index=False))
        self._silent = True
        options = [
            (
                (
                    f"{shorten(row.name, 40)} · {shorten(row.prompt or 'no prompt', 24)} ·"
                    f" {str(row.created_at)[:10]}"
                ),
                row.id,
            )
            for row in rows
        ]
        self.picker.options = offered(options)
        if options:
            kept = [place for place, (_, value) in enumerate(options) if value == chosen]
            self.picker.index = kept[0] if kept else 0
        self._silent = False
        self.views.clear()
        self.open()

    def _of_study(self) -> None:
        if not self._silent:
            for name in ("Studies", "Examples", "Label"):
                self.views.pop(name, None)
            self.open()

    def open(self, name: str | None = None) -> object:
        """Show a tab, the chosen one by default; returns its view."""
        if name is not None and self.tab.selected_index != TABS.index(name):
            self.tab.selected_index = TABS.index(name)  # comes back here
        self._draw_head()  # whatever was deployed since: the header never differs from a tab
        at = self.tab.selected_index or 0
        tab = TABS[at]
        if tab not in self.views:
            self.views[tab] = self._made(tab)
            self.tab.children[at].children = (self.views[tab].box,)
        elif tab in ("Registry", "Live"):
            self.views[tab].refresh()
        return self.views[tab]

    def _draw_head(self) -> None:
        self.head.value = _TABS_WRAP + head_html(self.lab.project, writes=self.writes)

    def _made(self, tab: str) -> object:
        """The view of a tab, or what to do first."""
        prompt = (
            self.study.record.prompt
            if self.study is not None
            and self.study.record.prompt in self.lab.project.registry.names()
            else ""
        )
        builders: dict[str, Callable[[], object]] = {
            "Prompts": lambda: PromptsView(self.lab, prompt, writes=self.writes),
            "Registry": lambda: EnvironmentsView(
                self.lab, prompt, writes=self.writes, drawn=self._draw_head
            ),
            "Live": self._live,
            "Watch": lambda: _Empty(monitors_html(self.lab.project)),
        }
        if tab in builders:
            return self._try(builders[tab])
        study = self.study
        if study is None:
            return _Empty(studies_html(self.lab.studies))
        if study.status == "running":
            return _Empty(
                page(f"<p class='dim'>{esc(study.name)} is running; refresh when it is done.</p>")
            )
        of_study: dict[str, Callable[[], object]] = {
            "Studies": lambda: StudiesView(study),
            "Examples": lambda: ExamplesView(study, writes=self.writes),
            "Label": lambda: LabelView(study, writes=self.writes),
        }
        return self._try(of_study[tab])

    def _live(self) -> LiveTab:
        tab = LiveTab(self.lab, writes=self.writes)
        if in_kernel():
            tab.follow()
        return tab

    def _try(self, build: Callable[[], object]) -> object:
        try:
            return build()
        except PromptOpsError as error:
            return _Empty(page(f"<p role='alert'>{esc(error)}</p>"))

    def static(self) -> str:
        """What is left of it where no kernel is: the lab at a glance, and the chosen study."""
        study = self.study
        return fitting(
            (
                lab_html(self.lab),
                monitors_html(self.lab.project) if monitor_paths(self.lab.project) else "",
                study_html(study) if study is not None else "",
                studies_html(self.lab.studies),
            )
        )

    def __repr__(self) -> str:
        return f"<dashboard of {self.lab!r}{'' if self.writes else ', read-only'}>"


class StudiesView(View):
    """A study's arms, and any two of them compared by any of its scorers. box: its container."""

    def __init__(self, study: Study) -> None:
        import ipywidgets as widgets

        self.study = study
        arms = list(study.record.labels)
        # two versions are side by side in the comparison's own table
        self.view = widgets.HTML(page(arms_html(study)) if len(arms) != 2 else "")
        self.more = widgets.HTML()
        self.candidate = widgets.Dropdown(
            options=offered(arms),
            value=arms[-1],
            description="candidate",
            layout=widgets.Layout(width="240px", max_width="98%"),
        )
        self.baseline = widgets.Dropdown(
            options=offered(arms),
            value=arms[0],
            description="baseline",
            layout=widgets.Layout(width="240px", max_width="98%"),
        )
        self.scorer = widgets.Dropdown(
            options=offered(study.record.scorer_names or [""]),
            description="by",
            layout=widgets.Layout(width="340px", max_width="98%"),
        )
        picker = widgets.HBox(
            [self.candidate, self.baseline, self.scorer],
            layout=widgets.Layout(flex_flow="row wrap"),
        )
        # the verdict first, then all versions
        self.box = widgets.VBox([*([picker, self.more] if len(arms) > 1 else []), self.view])
        if len(arms) > 1:
            usual = study.review.examples()  # the incumbent is the baseline if it is in the study
            self.candidate.value, self.baseline.value = (
                usual.candidate.label,
                usual.baseline.label if usual.baseline else arms[0],
            )
        for control in (self.candidate, self.baseline, self.scorer):
            control.observe(lambda _change: self.draw(), names="value")
        self.draw()

    def static(self) -> str:
        """The arms and the comparison as they are shown."""
        return fitting((self.more.value, self.view.value))

    def __repr__(self) -> str:
        return repr(self.study)

    def draw(self) -> None:
        """The comparison of the arms that are chosen."""
        from .comparison_view import body

        if len(self.study.record.labels) < 2:
            return
        try:
            comparison = self.study.compare(
                candidate=self.candidate.value,
                baseline=self.baseline.value,
                primary=self.scorer.value or None,
            )
            self.more.value = page(body(comparison, self.study.recorded))
        except PromptOpsError as error:  # what is known of each is worth a look all the same
            why = str(error)
            alert = f"<p role='alert'>{esc(why[:1].upper() + why[1:])}</p>"
            self.more.value = page(alert + arms_html(self.study))


class _Empty(View):
    """A tab that says what to do first."""

    def __init__(self, html: str) -> None:
        import ipywidgets as widgets

        self.html = html
        self.box = widgets.VBox([widgets.HTML(html)])

    def static(self) -> str:
        """The same."""
        return self.html

    def refresh(self) -> None:
        """Nothing to read again."""
