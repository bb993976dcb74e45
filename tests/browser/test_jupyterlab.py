"""The road of a person who only has the notebook's widgets, in a real JupyterLab: run, watch, stop,
resume, review, promote, roll back.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from everything import HOSTILE
from harness import idle, jupyterlab, notebook, open_notebook
from looks import MADE

from promptops.lab import Lab

pytestmark = pytest.mark.browser

SETUP = f"""
import time, warnings
warnings.simplefilter("ignore")
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
pace = {{"s": 0.05}}
def slow(answer):
    def call(request):
        time.sleep(pace["s"])
        return answer(int(request["messages"][-1]["content"].split()[-1]))
    return ScriptedModel(call, label="slow")
bad = {HOSTILE!r}
models = {{"one": slow(lambda n: "yes" if n % 4 else "maybe"), "two": slow(lambda n: bad if n in (1, 2, 3) else "yes" if n % 4 else "no")}}
lab = Lab("project", models=models)
prompt = lab.prompt("triage")
v1 = prompt.save("Judge: {{{{ticket}}}}", model="one")
v2 = prompt.save("Judge well: {{{{ticket}}}}", model="two")
data = Dataset.read([{{"id": f"t{{i:03}}", "ticket": f"ticket number {{i}}", "expected": "yes" if i % 4 else "no"}} for i in range(200)], name="tickets")
"""
RUN = 'study = lab.evaluate([v1, v2], data, [equals()], name="live", concurrency=2)\nstudy'
RESUME = (
    'pace["s"] = 0\nstudy = lab.evaluate([v1, v2], data, [equals()], name="live",'
    " concurrency=8)\nstudy"
)
BOARD = 'study.wait()\nlab.promote(v1, env="prod", study=study)\nlab.dashboard()'


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The notebook, open and idle; `page.home` is its folder, `page.asked` every address that is
    not this machine's.
    """
    folder, home = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("jupyter")
    (folder / "road.ipynb").write_text(notebook([SETUP, RUN, RESUME, BOARD]))
    with jupyterlab(folder, home) as url:
        found = browser.new_page(viewport={"width": 1024, "height": 1000})
        found.asked, found.home = [], folder
        found.on(
            "request",
            lambda request: (
                found.asked.append(request.url) if "127.0.0.1" not in request.url else None
            ),
        )
        open_notebook(found, url, "road.ipynb")
        found.evaluate("window.jupyterapp.shell.collapseLeft()")
        yield found
        found.close()


def run_cell(page: Any, number: int) -> None:
    page.evaluate(
        "async (n) => { const panel = window.jupyterapp.shell.currentWidget;"
        " panel.content.activeCellIndex = n; await"
        " window.jupyterapp.commands.execute('notebook:run-cell'); }",
        number,
    )


def cell(page: Any, number: int) -> Any:
    return page.locator(".jp-Notebook .jp-Cell").nth(number)


def lab_of(page: Any) -> Lab:
    return Lab(page.home / "project")


def stored(page: Any, query: str) -> list[Any]:
    """What the store has, read apart from the kernel."""
    return list(lab_of(page).store.rows(query))


def test_a_study_is_watched_stopped_and_resumed(page: Any) -> None:
    """The cell ends at once, the counts move, the stop button acts within a second and keeps what
    is done; the rest is asked later.
    """
    run_cell(page, 0)
    idle(page)
    run_cell(page, 1)
    stop = cell(page, 1).locator("button:has-text('Stop')")
    stop.wait_for(timeout=20_000)
    first = cell(page, 1).inner_text()
    page.wait_for_function(
        "(before) => document.querySelectorAll('.jp-Cell')[1].innerText !== before",
        arg=first,
        timeout=10_000,
    )
    began = time.monotonic()
    stop.click()
    cell(page, 1).locator("text=stopped by hand >> visible=true").first.wait_for(timeout=5_000)
    assert time.monotonic() - began < 3  # a second in the kernel, and this machine's browser
    store = lab_of(page).store
    done = store.rows("select count(*) from runs where failure is null")[0][0]
    assert 0 < done < 400
    run_cell(page, 2)
    cell(page, 2).locator("text=finished >> visible=true").first.wait_for(timeout=30_000)
    assert store.rows("select count(*), count(distinct key) from runs where failure is null")[
        0
    ] == (400, 400)


def test_the_results_say_what_the_store_says(page: Any) -> None:
    """Means in the cell, and the places of the dots in its pictures, are those of the recorded
    scores; the pictures have words.
    """
    means = [
        mean
        for _, mean in stored(
            page,
            "select m.arm, avg(s.passed::int) from study_runs m join scores s on s.run_id = m.run_id group by m.arm order by m.arm",
        )
    ]
    shown = cell(page, 2).locator(".po >> visible=true").first
    for mean in means:
        assert f"{100 * mean:.1f} %" in shown.inner_text()
    gauge = shown.locator("svg").first
    marks = [
        (float(mark.get_attribute("x")), float(str(mark.text_content()).replace("−", "-")))
        for mark in gauge.locator("text").all()
    ]
    (first, low), (last, high) = marks[0], marks[-1]
    dot = float(gauge.locator("circle").get_attribute("cx"))
    drawn = low + (dot - first) / (last - first) * (high - low)
    assert drawn == pytest.approx(100 * (means[1] - means[0]), abs=0.2)
    assert shown.locator("svg[role=img][aria-label]").count() >= 2


def test_the_dashboard_opens_on_the_comparison(page: Any) -> None:
    """Wins, losses and ties stand as the store has them; the other way round they change sides."""
    run_cell(page, 3)
    page.locator(".jupyter-widget-tab").wait_for(timeout=30_000)
    page.locator("h3:has-text('Difference v2 − v1') >> visible=true").first.wait_for(timeout=20_000)
    won, lost, alike = stored(page, _DUEL)[0]
    bar = page.locator("svg[aria-label*='examples better and'] >> visible=true").last
    widths = [float(part.get_attribute("width")) + 1 for part in bar.locator("rect").all()]
    assert widths == pytest.approx([636 * count / 200 for count in (lost, alike, won)], abs=0.2)
    assert f"{won} : {lost}" in page.locator(".jp-Cell").nth(3).inner_text()
    for name, label in (("candidate", "v1"), ("baseline", "v2")):
        page.locator(f".widget-dropdown:has(label:text-is('{name}')) select").select_option(label)
    page.locator("h3:has-text('Difference v1 − v2') >> visible=true").first.wait_for(timeout=20_000)
    assert f"{lost} : {won}" in page.locator(".jp-Cell").nth(3).inner_text()


_DUEL = """select count(*) filter (b > a), count(*) filter (b < a), count(*) filter (b = a) from (
  select m.example_id, avg(s.value) filter (m.arm = 'v2') as b, avg(s.value) filter (m.arm = 'v1') as a
  from study_runs m join scores s on s.run_id = m.run_id group by 1)"""


def test_lost_examples_are_reached_by_keys_that_the_notebook_never_sees(page: Any) -> None:
    """l, j, k, 1 to 9 and ? act in the widget; JupyterLab's command mode hears none, nor d d, x, m
    or a.
    """
    tab(page, "Examples")
    page.locator(".po-pane:visible").first.wait_for()
    page.locator(".po-pane:visible tr[data-press='row:1']").click()
    selected(page, "t002")
    page.keyboard.press("l")
    page.get_by_text("1 to 3 of 3 examples").wait_for(timeout=5_000)
    selected(page, "t001")
    for key, name in (
        ("j", "t002"),
        ("j", "t003"),
        ("k", "t002"),
        ("1", "t001"),
        ("3", "t003"),
        ("9", "t003"),
        ("1", "t001"),
    ):
        page.keyboard.press(key)
        selected(page, name)
    page.keyboard.press("?")
    page.get_by_text("next and previous").wait_for(timeout=5_000)
    before = page.evaluate(_NOTEBOOK)
    for key in (*"23456789", *"jk", *"dd", "x", "m", "y", "r", "o", "b", "v", "z", "0", "0", "?"):
        page.keyboard.press(key)
    time.sleep(0.5)
    assert page.evaluate(_NOTEBOOK) == before
    assert page.locator(".lm-Widget.jp-Dialog").count() == 0
    page.keyboard.press("1")
    selected(page, "t001")
    assert page.locator(".po-pane:visible ins").count() >= 1


_NOTEBOOK = """() => { const notebook = window.jupyterapp.shell.currentWidget.content;
  return [notebook.activeCellIndex, notebook.mode, ...notebook.widgets.map((cell) => cell.model.type + cell.model.sharedModel.getSource().length)]; }"""


def test_an_example_is_pinned(page: Any) -> None:
    """One click, and the policy in the registry file holds it."""
    page.locator("button:has-text('Pin as must-pass')").click()
    page.get_by_text("is now a must-pass example").wait_for(timeout=5_000)
    assert lab_of(page).project.registry.policy("triage").must_pass == ("t001",)
    page.locator("button:has-text('Unpin')").click()
    page.get_by_text("no longer a must-pass").wait_for(timeout=5_000)


def test_one_is_labelled_by_keyboard(page: Any) -> None:
    """A key answers, the next task is there, the row is in the store."""
    tab(page, "Label")
    page.get_by_text("0 of 53 labelled").wait_for(timeout=10_000)
    page.locator(".po-pane:visible").click(position={"x": 5, "y": 5})
    page.keyboard.press("1")
    page.get_by_text("1 of 53 labelled").wait_for(timeout=5_000)
    assert lab_of(page).store.rows("select count(*) from labels")[0][0] == 1


def test_promoted_and_rolled_back(page: Any) -> None:
    """The gate answers before the click, the second click acts, the environment changes, and
    changes back.
    """
    tab(page, "Registry")
    page.get_by_text("the gate lets it through").wait_for(timeout=15_000)
    page.locator("button:has-text('Promote')").click()
    page.locator("button:has-text('Yes: v2 to prod')").click()
    page.get_by_text("serves v2").first.wait_for(timeout=10_000)
    assert lab_of(page).project.registry.environments("triage") == {"prod": 2}
    page.locator("button:has-text('Roll back')").click()
    page.locator("button:has-text('Yes: undo v2 in prod')").click()
    page.get_by_text("went back to v1").first.wait_for(timeout=10_000)
    assert lab_of(page).project.registry.environments("triage") == {"prod": 1}


def test_hostile_output_ran_nothing_and_loaded_nothing(page: Any) -> None:
    """After all of the above: no script of the data ran, no element of it exists, nothing left this
    machine.
    """
    for name in ("Studies", "Examples", "Prompts", "Label", "Registry"):
        tab(page, name)
        time.sleep(0.6)
    assert page.evaluate("window.hit") is None
    assert page.evaluate(MADE, ".jp-OutputArea-output *") == []
    assert page.asked == []


def test_what_is_saved_is_small_and_shows_the_result(page: Any) -> None:
    """The saved notebook holds the results as HTML without a script, at most 100 kB a view."""
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    time.sleep(2)
    cells = json.loads((page.home / "road.ipynb").read_text())["cells"]
    for made in cells[1:]:
        assert len(json.dumps(made["outputs"])) < 100_000
    html = "".join(
        "".join(output["data"].get("text/html", ""))
        for output in cells[2]["outputs"]
        if "data" in output
    )
    assert "<svg" in html
    assert "<script" not in html


def tab(page: Any, name: str) -> None:
    page.locator(f".jupyter-widget-tab .lm-TabBar-tab:has-text('{name}')").click()


def selected(page: Any, name: str) -> None:
    page.wait_for_function(
        '(name) => document.querySelector(".po-pane'
        " tr[aria-selected='true']\")?.innerText.includes(name)",
        arg=name,
        timeout=8_000,
    )
