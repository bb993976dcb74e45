"""Small pictures of every view, light and dark: `python tests/browser/pictures.py
notebooks/images`. Needs chromium and playwright.

The embedded model answers, which is not an LLM; the views are those of the tour's own tickets in a
real JupyterLab.
"""

from __future__ import annotations

import base64
import os
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from harness import chromium, copy_data, idle, jupyterlab, missing, notebook, open_notebook

MOST = 80_000  # bytes of one picture
SETUP = """
import warnings
warnings.simplefilter("ignore")
from promptops.cli.demo import DEFINITIONS, NAME, SYSTEM, _messages, _scorers
from promptops.lab import Dataset, Lab
from promptops.review.labelling import Labelling
import os
os.environ["PROMPTOPS_USER"] = "ana"
lab = Lab("project")
triage = lab.prompt(NAME)
v1 = triage.save("Classify this ticket: {{ticket}}", model="embedded", note="what we had in the code")
v2 = triage.save(_messages(SYSTEM), model="embedded", note="labels and JSON", temperature=0)
tickets = Dataset.read("support_tickets.jsonl", inputs=["ticket"], expected="expected", tags="tags")
first = lab.evaluate([v1, v2], tickets.test, _scorers(), name="support-triage, first idea").wait()
lab.promote(v1, env="prod", study=first)
lab.promote(v2, env="prod", study=first)
lab.rollback(NAME, env="prod", reason="a customer complained")
lab.promote(v2, env="prod", study=first, override="it was another release", reason="it was another release")
v3 = triage.save(_messages(SYSTEM + DEFINITIONS), model="embedded", note="labels, definitions and JSON", temperature=0)
study = lab.evaluate([v1, v2, v3], tickets.test, _scorers(), name="support-triage, test split").wait()
for rater in ("ana", "bo"):
    queue = Labelling(study.recorded, rater)
    for place in range(24):
        left = sorted(queue.task.outputs, key=lambda text: len(text or ""))[-1] == queue.task.outputs[0]
        queue.answer("tie" if rater == "bo" and place % 6 == 5 else "first" if left else "second")
study.review.labels().shape
"""
LIVE = """
import time
from promptops.models.scripted import ScriptedModel
def answer(request):
    time.sleep(0.05)
    text = request["messages"][-1]["content"]
    return "yes" if sum(map(ord, text)) % 5 else "no"
small = Dataset.read([{"id": f"q{i}", "question": f"is {i} so", "expected": "yes"} for i in range(300)], name="questions")
slow = Lab("live", models={"slow-a": ScriptedModel(answer), "slow-b": ScriptedModel(answer)})
from promptops.scorers import equals
a = slow.prompt("ask").save("{{question}}", model="slow-a")
b = slow.prompt("ask").save("Say yes or no: {{question}}", model="slow-b")
running = slow.evaluate([a, b], small, [equals()], name="a live study", concurrency=3)
running
"""


def main(folder: Path) -> None:
    """Write the pictures; each at most MOST bytes."""
    why = missing()
    if why:
        raise SystemExit(why)
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for theme, name in (("", "light"), ("JupyterLab Dark", "dark")):
            os.environ["PROMPTOPS_TEST_THEME"] = theme
            with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as home:
                copy_data(Path(work))
                cells = [SETUP, "lab.dashboard()", "study.leaderboard()", LIVE]
                (Path(work) / "views.ipynb").write_text(notebook(cells))
                with jupyterlab(Path(work), Path(home)) as url:
                    page = browser.new_page(viewport={"width": 1024, "height": 1500})
                    open_notebook(page, url, "views.ipynb")
                    _dashboard(page, folder, name)
                    _others(page, folder, name)
                    if name == "light":
                        _report(browser, Path(work), folder)
                    page.close()


def _dashboard(page: Any, folder: Path, name: str) -> None:
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    _run(page, 0)
    idle(page)
    _run(page, 1)
    page.locator(".jupyter-widget-tab").wait_for(timeout=60_000)
    time.sleep(3)
    box = page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea-output >> visible=true").first
    _take(page, box, folder / f"comparison-{name}.png", 1010)
    figures = page.locator(".po-figs >> visible=true").first
    _take(page, figures, folder / f"figures-{name}.png", 500)
    for tab in ("Examples", "Prompts", "Label", "Registry"):
        page.locator(f".jupyter-widget-tab .lm-TabBar-tab:has-text('{tab}')").click()
        time.sleep(2.5)
        if tab == "Examples":
            page.locator(".po-pane:visible tr[data-press='row:1']").click()
            time.sleep(1)
        _take(page, box, folder / f"{tab.lower()}-{name}.png", 960)


def _others(page: Any, folder: Path, name: str) -> None:
    _run(page, 2)
    idle(page)
    time.sleep(1)
    _take(
        page,
        page.locator(".jp-Cell").nth(2).locator(".jp-OutputArea-output >> visible=true").first,
        folder / f"leaderboard-{name}.png",
        900,
    )
    _run(page, 3)
    page.locator("button:has-text('Stop')").wait_for(timeout=30_000)
    time.sleep(4)
    _take(
        page,
        page.locator(".jp-Cell").nth(3).locator(".jp-OutputArea-output >> visible=true").last,
        folder / f"live-{name}.png",
        500,
    )
    page.locator("button:has-text('Stop')").click()


def _report(browser: Any, work: Path, folder: Path) -> None:
    from promptops.lab import Lab

    lab = Lab(work / "project")
    path = next(iter(lab.studies)).report(work / "report.html")
    page = browser.new_page(viewport={"width": 1024, "height": 1000})
    page.goto(path.as_uri())
    _shot(page, {"path": str(folder / "report-light.png")})
    page.close()


def _run(page: Any, number: int) -> None:
    page.evaluate(
        "async (n) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = n; await"
        " window.jupyterapp.commands.execute('notebook:run-cell'); }",
        number,
    )


def _take(page: Any, box: Any, path: Path, height: int, part: str = "") -> None:
    """A picture of a cell's output, cut at a height."""
    box.scroll_into_view_if_needed()
    box.evaluate("(element) => element.scrollIntoView({block: 'start'})")
    time.sleep(0.4)
    found = (box.locator(part).first if part else box).bounding_box()
    assert found is not None
    tall = min(found["height"] if not part else height, height, 1500 - found["y"] - 30)
    _shot(
        page,
        {
            "path": str(path),
            "clip": {
                "x": found["x"],
                "y": found["y"],
                "width": min(found["width"], 900),
                "height": tall,
            },
        },
    )


def _shot(page: Any, options: dict[str, Any]) -> None:
    path = Path(options.pop("path"))
    shown = page.context.browser.new_page()
    raw = base64.b64encode(page.screenshot(**options)).decode()
    width, height, pixels = shown.evaluate(_PIXELS, f"data:image/png;base64,{raw}")
    shown.close()
    path.write_bytes(_png(width, height, base64.b64decode(pixels)))
    if path.stat().st_size > MOST:
        raise SystemExit(f"{path} has {path.stat().st_size:,} bytes, expected at most {MOST:,}.")


_PIXELS = """async (source) => {
  const image = new Image(); image.src = source; await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height); const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, image.width, image.height).data; let text = '';
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return [image.width, image.height, btoa(text)];
}"""


def _png(width: int, height: int, rgba: bytes) -> bytes:
    """A PNG of the 96 colours that say most: a screenshot of text needs no more, and takes a third
    of the bytes.
    """
    import numpy as np

    pixels = np.frombuffer(rgba, np.uint8).reshape(-1, 4)[:, :3].astype(np.int32)
    coarse = pixels // 12 * 12 + 6
    keys = coarse[:, 0] << 16 | coarse[:, 1] << 8 | coarse[:, 2]
    _names, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    found = np.stack(
        [np.bincount(place, weights=pixels[:, channel]) / counts for channel in range(3)], axis=1
    )
    palette = found[np.argsort(-counts)[:96]]
    nearest = ((found[:, None, :] - palette[None]) ** 2).sum(2).argmin(1).astype(np.uint8)
    rows = np.zeros((height, width + 1), np.uint8)  # the first byte of a row: not filtered
    rows[:, 1:] = nearest[place].reshape(height, width)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", head),
        (b"PLTE", palette.round().astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "notebooks/images"))
