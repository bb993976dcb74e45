"""Every view, each in a cell of its own: it fits, it is heard and reached by keys, hostile data
does nothing, and a saved notebook shows it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from everything import LIVE, PROJECT, SETUP, VIEWS
from harness import idle, jupyterlab, notebook, open_notebook
from looks import MADE, WIDE

pytestmark = pytest.mark.browser

CELLS = [SETUP, PROJECT, *(source for source, _ in VIEWS.values()), LIVE]
PLACE = {name: place + 2 for place, name in enumerate([*VIEWS, "live"])}

# what a sighted person would see of each cell's output
SEEN = """() => [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].map((cell) =>
  [...cell.querySelectorAll('.jp-OutputArea-output')].filter((one) => one.checkVisibility()).map((one) => one.innerText).join('\\n'))"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("jupyter")


@pytest.fixture(scope="module")
def page(browser: Any, folders: tuple[Path, Path]) -> Iterator[Any]:
    """The notebook with every view displayed; `page.asked`: every address that is not this
    machine's.
    """
    folder, home = folders
    (folder / "views.ipynb").write_text(notebook(CELLS))
    with jupyterlab(folder, home) as url:
        found = browser.new_page(viewport={"width": 1024, "height": 900})
        found.asked = []
        found.on(
            "request",
            lambda request: (
                found.asked.append(request.url) if "127.0.0.1" not in request.url else None
            ),
        )
        open_notebook(found, url, "views.ipynb")
        found.evaluate("window.jupyterapp.shell.collapseLeft()")
        found.evaluate(
            "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )
        idle(found)
        found.locator("button:has-text('Stop')").wait_for(timeout=60_000)
        found.locator(".jupyter-widget-tab").wait_for(timeout=60_000)
        yield found
        found.close()


def test_every_view_shows_itself_once(page: Any) -> None:
    """The widget where there is one, else its page; never both, and no error."""
    seen = page.evaluate(SEEN)
    for name, (_, text) in VIEWS.items():
        assert text.lower() in seen[PLACE[name]].lower(), (name, seen[PLACE[name]][:300])
        assert seen[PLACE[name]].lower().count("error displaying") == 0
    for name in ("study", "studies", "label", "live"):
        assert (
            page.locator(".jp-CodeCell").nth(PLACE[name]).locator("[class*=po-still]").count() == 1
        )
        assert (
            not page.locator(".jp-CodeCell")
            .nth(PLACE[name])
            .locator("[class*=po-still]")
            .is_visible()
        ), name


@pytest.mark.parametrize("width", [1024, 512])
def test_nothing_overflows(page: Any, width: int) -> None:
    """At 1,024 px and at 200 % zoom of it nothing is wider than where it stands, and no control is
    out of reach; folds are open.
    """
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(
        "document.querySelectorAll('.po details').forEach((fold) => { fold.open = true; })"
    )
    for tab in ("Examples", "Prompts", "Label", "Registry", "Studies"):
        page.locator(f".jupyter-widget-tab .lm-TabBar-tab:has-text('{tab}')").click()
        time.sleep(0.8)
        page.evaluate(
            "document.querySelectorAll('.po details').forEach((fold) => { fold.open = true; })"
        )
        assert page.evaluate(WIDE) == [], tab


def test_hostile_data_does_nothing_in_any_view(page: Any) -> None:
    """No script of the data ran, no element, address or mathematics of it exists, nothing left this
    machine, no control character is shown.
    """
    assert page.evaluate("window.hit") is None
    assert page.evaluate(MADE, ".po *") == []
    assert page.evaluate(_STEERING) == []
    for name in ("examples", "prompts", "environments", "version", "studies", "study"):
        shown = (
            page.locator(".jp-CodeCell")
            .nth(PLACE[name])
            .locator(".jp-OutputArea")
            .first.text_content()
        )
        assert "$\\href{http://example.invalid/q}" in shown, name  # it is there, as text
        assert "<script>window.hit=1</script>" in shown or name in (
            "study",
            "studies",
        ), name  # their tags are shorter than that
    assert page.asked == []


def test_hostile_data_does_nothing_in_a_dataset(page: Any) -> None:
    """The table of a dataset makes no link and no mathematics of its cells either."""
    assert page.evaluate(MADE, ".jp-OutputArea-output *") == []


_STEERING = """() => [...document.querySelectorAll('.po')].filter((one) =>
  /[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]/.test(one.textContent)).map((one) => one.textContent.slice(0, 80))"""


def test_figures_are_told_and_controls_reached(page: Any) -> None:
    """Every picture says in words what it shows; with Tab alone every control is met, each with a
    mark that it is met.
    """
    assert (
        page.evaluate(
            "[...document.querySelectorAll('.po svg')].filter((one) => one.getAttribute('role') !=="
            " 'img' || one.getAttribute('aria-label').length < 20).length"
        )
        == 0
    )
    assert (
        page.evaluate(
            "[...document.querySelectorAll('.po [role=img]')].filter((one) =>"
            " !one.getAttribute('aria-label')).length"
        )
        == 0
    )
    for name in ("examples", "label", "environments", "prompts", "studies"):
        cell = page.locator(".jp-CodeCell").nth(PLACE[name])
        wanted = cell.locator(_CONTROLS)
        wanted.first.focus()
        wanted.first.scroll_into_view_if_needed()
        total = wanted.count()
        met, unmarked = set(), []
        for _ in range(total + 12):
            place, marked, said = page.evaluate(_FOCUSED, [PLACE[name], _CONTROLS])
            if place >= 0:
                met.add(place)
                unmarked += [] if marked else [said]
            page.keyboard.press("Tab")
        assert met == set(range(total)), (name, set(range(total)) - met)
        assert unmarked == [], name


_CONTROLS = (
    ".jp-OutputArea-output :is(select, input:not([type=hidden]), textarea, button, summary,"
    " .po-pane):not([disabled]):visible"
)
_FOCUSED = """([cell, controls]) => {
  const one = document.activeElement, style = getComputedStyle(one);
  const all = [...document.querySelectorAll('.jp-CodeCell')[cell].querySelectorAll(controls.replace(':visible', ''))].filter((each) => each.checkVisibility());
  const marked = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none' || one.matches('select, input, textarea');
  return [all.indexOf(one), marked, one.outerHTML.slice(0, 80)];
}"""


def test_a_saved_notebook_shows_every_view_without_its_kernel(
    browser: Any, page: Any, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """Reopened by a fresh server: with a new kernel, with none, and not trusted: what the widget
    showed is there, once, and no error.
    """
    folder, home = folders
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    time.sleep(2)
    saved = json.loads((folder / "views.ipynb").read_text())
    for name, place in PLACE.items():
        assert len(json.dumps(saved["cells"][place]["outputs"]).encode()) <= 100_000, name
    read = tmp_path / "read"
    read.mkdir()
    shutil.copyfile(folder / "views.ipynb", read / "views.ipynb")
    none = (
        "--KernelSpecManager.allowed_kernelspecs=none",
        "--KernelSpecManager.ensure_native_kernel=False",
    )
    for mode, more in (("new kernel", ()), ("no kernel", none), ("not trusted", none)):
        mine = tmp_path / mode
        if mode != "not trusted":
            shutil.copytree(
                home / "data", mine / "data"
            )  # its signatures say which notebooks are its own
        with jupyterlab(read, mine, *more) as url:
            again = browser.new_page(viewport={"width": 1024, "height": 900})
            again.goto(url.format("views.ipynb"), wait_until="domcontentloaded")
            again.wait_for_selector(".jp-NotebookPanel .jp-Notebook .po", timeout=60_000)
            time.sleep(3)
            seen = again.evaluate(SEEN)
            for name, text in [
                *((name, text) for name, (_, text) in VIEWS.items()),
                ("live", "still asking"),
            ]:
                shown = seen[PLACE[name]]
                assert text.lower() in shown.lower(), (mode, name, shown[:200])
                assert not re.search("rror displaying|Loading widget|model not found", shown), (
                    mode,
                    name,
                )
            assert again.evaluate("window.hit") is None
            if (
                mode != "not trusted"
                # there styles are taken away; JupyterLab's file browser is open, so the cells are some
                # 600 pixels wide
            ):
                assert again.evaluate(WIDE) == [], mode
            again.close()


def test_a_saved_notebook_as_a_page_and_through_a_sanitiser(
    browser: Any, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    """nbconvert's page shows every view with its look; a code host, which takes styles, classes and
    pictures away, its tables and words.
    """
    source = folders[0] / "views.ipynb"
    made = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path), str(source)], capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-800:]
    html = (tmp_path / "views.html").read_text()
    page = browser.new_page(viewport={"width": 1024, "height": 900}, offline=True)
    page.route("http*://**", lambda route: route.abort())
    page.set_content(html, wait_until="commit")
    page.wait_for_selector(".po", timeout=20_000)
    seen = page.evaluate(SEEN.replace(".jp-Notebook ", ""))
    for name, text in [
        *((name, text) for name, (_, text) in VIEWS.items()),
        ("live", "still asking"),
    ]:
        assert text.lower() in seen[PLACE[name]].lower(), name
    assert page.evaluate("window.hit") is None
    cells = json.loads(source.read_text())["cells"]
    bare = browser.new_page(java_script_enabled=False)
    for name, (_, text) in VIEWS.items():
        given = "".join(
            "".join(output.get("data", {}).get("text/html", ""))
            for output in cells[PLACE[name]]["outputs"]
        )
        bare.set_content(
            re.sub(r"<(style|svg)\b.*?</\1>|\s(class|style)='[^']*'", "", given, flags=re.S)
        )
        assert text.lower() in bare.inner_text("body").lower(), name
        assert bare.locator("table, pre").count() or name == "label", name
    bare.close()
    page.close()
