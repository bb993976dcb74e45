"""Every view, each in a cell of its own: it fits, it is heard and reached by keys, hostile data does nothing, and a saved notebook shows it."""

from __future__ import annotations

import json
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

pytestmark = pytest.mark.browser

CELLS = [SETUP, PROJECT, *(source for source, _ in VIEWS.values()), LIVE]
PLACE = {name: place + 2 for place, name in enumerate([*VIEWS, "live"])}

# what is wider than where it stands, or stands beyond the right edge of its cell; [] where all is well
WIDE = """() => {
  const wrong = [], shown = (one) => one.getClientRects().length > 0;
  const said = (one) => `${one.tagName}.${one.className.baseVal ?? one.className} ${one.scrollWidth}>${one.clientWidth}: ${one.textContent.slice(0, 40)}`;
  for (const one of [document.documentElement, ...document.querySelectorAll('.po, .po-pane, .po table, .po pre, .po-list, .po .card, .jp-OutputArea-output')])
    if (shown(one) && one.scrollWidth > one.clientWidth + 1) wrong.push(said(one));
  for (const one of document.querySelectorAll('.po *, .jp-OutputArea-output :is(button, input, select, textarea)')) {
    const edge = (one.closest('.jp-OutputArea-output') ?? document.documentElement).getBoundingClientRect().right;
    if (shown(one) && !one.closest('thead') && one.getBoundingClientRect().right > edge + 1) wrong.push('beyond: ' + said(one));
  }
  return wrong.slice(0, 12);
}"""
# what a sighted person would see of each cell's output
SEEN = "() => [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].map((cell) => [...cell.querySelectorAll('.jp-OutputArea-output')].map((one) => one.innerText).join('\\n'))"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("jupyter")


@pytest.fixture(scope="module")
def page(browser: Any, folders: tuple[Path, Path]) -> Iterator[Any]:
    """The notebook with every view displayed; `page.asked`: every address that is not this machine's."""
    folder, home = folders
    (folder / "views.ipynb").write_text(notebook(CELLS))
    with jupyterlab(folder, home) as url:
        found = browser.new_page(viewport={"width": 1024, "height": 900})
        found.asked = []
        found.on("request", lambda request: found.asked.append(request.url) if "127.0.0.1" not in request.url else None)
        open_notebook(found, url, "views.ipynb")
        found.evaluate("window.jupyterapp.shell.collapseLeft()")
        found.evaluate("async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
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
        assert page.locator(".jp-CodeCell").nth(PLACE[name]).locator("[class*=po-still]").count() == 1
        assert not page.locator(".jp-CodeCell").nth(PLACE[name]).locator("[class*=po-still]").is_visible(), name


@pytest.mark.parametrize("width", [1024, 512])
def test_nothing_overflows(page: Any, width: int) -> None:
    """At 1,024 px and at 200 % zoom of it nothing is wider than where it stands, and no control is out of reach; folds are open."""
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('.po details').forEach((fold) => { fold.open = true; })")
    for tab in ("Examples", "Prompts", "Label", "Registry", "Studies"):
        page.locator(f".jupyter-widget-tab .lm-TabBar-tab:has-text('{tab}')").click()
        time.sleep(0.8)
        page.evaluate("document.querySelectorAll('.po details').forEach((fold) => { fold.open = true; })")
        assert page.evaluate(WIDE) == [], tab
