"""The dashboard as a page behind a token, and the report from disk with the network cut."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from everything import HOSTILE, LONG
from harness import free_port, served
from looks import MADE, WIDE

from promptops.lab import Dataset, Lab, compare
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, equals, scorer, similar_to
from promptops.views.site import site_files

pytestmark = pytest.mark.browser

_GROUND = "getComputedStyle(document.body).backgroundColor"
TOKEN = "a-token-of-this-test-0123456789"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A finished study with hostile output, in prod since a promotion."""

    def number_of(request: dict[str, Any]) -> int:
        return int(request["messages"][-1]["content"].split()[-1])

    def one(request: dict[str, Any]) -> str:
        return "yes" if number_of(request) % 4 else "maybe"

    def two(request: dict[str, Any]) -> str:
        number = number_of(request)
        return HOSTILE if number in (1, 2, 3) else "yes" if number % 4 else "no"

    models = {
        "one": ScriptedModel(one, label="one"),
        "two": ScriptedModel(two, label="two"),
    }
    lab = Lab(tmp_path_factory.mktemp("project"), models=models)
    prompt = lab.prompt("triage")
    versions = [
        prompt.save("Judge: {{ticket}}", model="one", note=HOSTILE),
        prompt.save("Judge well: {{ticket}}", model="two"),
    ]
    rows = [
        {"id": f"t{i:02}", "ticket": f"ticket number {i}", "expected": "yes" if i % 4 else "no"}
        for i in range(60)
    ]
    wordy = scorer(name=LONG, version="1")(lambda output, expected: output == expected)
    graders = [equals(), wordy, similar_to(), contains("e"), contains("y"), contains("s")]
    study = lab.evaluate(versions, Dataset.read(rows, name="tickets"), graders, name="first")
    lab.promote(versions[0], env="prod", study=study, reason=HOSTILE)
    yield lab
    lab.project.loop.close()
    lab.store.close()


def test_the_page_is_read_only_and_behind_a_token(
    browser: Any, project: Lab, tmp_path: Path
) -> None:
    """Without the token nothing is shown; with it every tab is, no button writes, and hostile data
    does nothing.
    """
    port = free_port()
    env = {
        **os.environ,
        "PROMPTOPS_DASHBOARD_TOKEN": TOKEN,
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "TMPDIR": str(tmp_path / "temporary"),
    }
    (tmp_path / "temporary").mkdir()
    command = [
        sys.executable,
        "-m",
        "promptops.cli.__main__",
        "dashboard",
        "--root",
        str(project.project.root),
        "--port",
        str(port),
    ]
    with served(command, f"http://127.0.0.1:{port}/?token={TOKEN}", env, tmp_path / "log"):
        for query in ("", "?token=wrong"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{query}", timeout=20) as answer:
                assert "triage" not in answer.read().decode()
                assert "login" in answer.url
        kept = kernels(tmp_path)  # of those who asked without a browser: nobody closes their page
        page = browser.new_page(viewport={"width": 1024, "height": 900})
        asked: list[str] = []
        page.on(
            "requestfailed",
            lambda request: asked.append(request.url) if request.failure != "csp" else None,
        )
        page.on(
            "requestfinished",
            lambda request: asked.append(request.url) if "127.0.0.1" not in request.url else None,
        )
        page.goto(f"http://127.0.0.1:{port}/?token={TOKEN}", wait_until="domcontentloaded")
        page.locator(".jupyter-widget-tab").wait_for(timeout=60_000)
        page.locator("h3:visible:has-text('Difference v2')").first.wait_for(timeout=20_000)
        for name in ("Examples", "Prompts", "Label", "Registry"):
            page.locator(f".jupyter-widget-tab .lm-TabBar-tab:has-text('{name}')").click()
            page.wait_for_timeout(900)
        for width in (1024, 512):
            page.set_viewport_size({"width": width, "height": 900})
            for name in ("Examples", "Prompts", "Label", "Registry", "Studies"):
                page.locator(f".jupyter-widget-tab .lm-TabBar-tab:has-text('{name}')").click()
                page.wait_for_timeout(500)
                page.evaluate(
                    "document.querySelectorAll('.po details').forEach((fold) => { fold.open ="
                    " true; })"
                )
                assert page.evaluate(WIDE) == [], (width, name)
        page.set_viewport_size({"width": 390, "height": 900})
        page.wait_for_timeout(500)
        cut = page.evaluate(
            "[...document.querySelectorAll('.lm-TabBar-tabLabel')].filter((one) =>"
            " one.scrollWidth > one.parentElement.clientWidth).map((one) => one.textContent)"
        )
        assert cut == []  # on a phone too every tab has its whole name
        grounds = []
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            grounds.append(page.evaluate(_GROUND))
        assert grounds == ["rgb(13, 17, 23)", "rgb(255, 255, 255)"]
        assert (
            page.locator("[class*=po-still]:visible").count() == 0
        )  # the static page gives way to the widget
        assert "triage" in page.inner_text("body")
        assert str(project.project.root) not in page.inner_text("body")  # of no use to a reader
        labels = page.locator("button:visible").all_inner_texts()
        assert not [
            text
            for text in labels
            if any(word in text for word in ("Promote", "Roll back", "Save", "Pin"))
        ]
        assert page.evaluate("window.hit") is None
        assert page.evaluate(MADE, ".po *") == []
        assert asked == []
        assert len(kernels(tmp_path) - kept) == 1
        page.close()
        assert ended(tmp_path, kept) < 5
        for leave in ("close, and let the page say so", "go elsewhere", "close the window"):
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{port}/?token={TOKEN}", wait_until="domcontentloaded")
            page.locator(".jupyter-widget-tab").wait_for(timeout=60_000)
            assert len(kernels(tmp_path) - kept) == 1
            if leave == "close, and let the page say so":
                page.close(run_before_unload=True)
            elif leave == "go elsewhere":
                page.goto("about:blank")
            else:
                context.close()
            assert ended(tmp_path, kept) < 5, leave


def kernels(folder: Path) -> set[str]:
    """The connection files of the kernels that run."""
    return {path.name for path in (folder / "temporary").glob("**/kernel-*.json")}


def ended(folder: Path, kept: set[str]) -> float:
    """Seconds until no kernel runs but those, or 20."""
    began = time.monotonic()
    while kernels(folder) - kept and time.monotonic() < began + 20:
        time.sleep(0.1)
    return time.monotonic() - began


def test_the_report_from_disk_without_a_network(browser: Any, project: Lab, tmp_path: Path) -> None:
    """It filters, labels and downloads with the network cut; hostile output is text; what it
    downloads comes back as labels.
    """
    study = project.study("first")
    report = study.report(tmp_path / "report.html")
    assert report.stat().st_size < 8_000_000
    context = browser.new_context(
        offline=True, accept_downloads=True, viewport={"width": 1024, "height": 900}
    )
    page = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on(
        "request",
        lambda request: (
            asked.append(request.url) if not request.url.startswith(("file:", "blob:")) else None
        ),
    )
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(report.as_uri())
    assert page.locator(".flip").count() == 18
    page.select_option("#kind", "lost")
    assert page.locator(".flip:visible").count() == 3
    assert page.locator(".flip:visible").first.inner_text().count("window.hit=1") >= 1
    page.fill("#rater", "cleo")
    page.locator(".flip:visible .label").first.click()
    with page.expect_download() as waiting:
        page.click("#save")
    file = tmp_path / "labels.jsonl"
    waiting.value.save_as(file)
    assert json.loads(file.read_text())["rater"] == "cleo"
    assert (study.review.import_labels(file), study.review.import_labels(file)) == (1, 0)
    assert page.evaluate("window.hit") is None
    assert page.evaluate(MADE, "main *") == []
    assert (asked, faults) == ([], [])
    page.select_option("#kind", "all")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    for width in (1024, 512):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(WIDE) == [], width
    context.close()


def test_the_report_is_short_and_opens_without_a_script(
    browser: Any, project: Lab, tmp_path: Path
) -> None:
    """Losses first, a few open; the rest a line each, in folds that need no script; all that is not
    folded away is opened for paper.
    """
    report = project.study("first").report(tmp_path / "report.html")
    page = browser.new_page(java_script_enabled=False, viewport={"width": 1024, "height": 900})
    page.goto(report.as_uri())
    kinds = page.locator(".flip").evaluate_all("(rows) => rows.map((row) => row.dataset.kind)")
    assert kinds == ["lost"] * 3 + ["won"] * 15
    assert page.locator(".flip[open]").count() == 3
    assert page.evaluate("document.documentElement.scrollHeight") < 9_000
    assert page.get_by_text("5 more that got better").is_visible()
    assert page.locator(".more .flip").first.is_hidden()
    page.get_by_text("5 more that got better").click()
    page.locator(".more .flip summary").first.click()
    assert page.locator(".more .flip pre").first.is_visible()
    for said in ("What serves", "triage", "since (UTC)", "improved : regressed"):
        assert said in page.inner_text("body")
    page.close()
    page = browser.new_page(viewport={"width": 1024, "height": 900})
    page.goto(report.as_uri())
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".flip[open]").count() == 13
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator(".flip[open]").count() == 3
    assert len(page.pdf()) > 20_000
    page.close()


@pytest.mark.parametrize("width", [1024, 512])
def test_the_page_of_a_table_fits_too(browser: Any, tmp_path: Path, width: int) -> None:
    """A compared file writes a page of its own: the same look, no script at all."""
    rows = [
        {
            "ticket": HOSTILE,
            "expected": "yes",
            "a": "yes" if i % 3 else HOSTILE,
            "b": "yes" if i % 5 else "no",
        }
        for i in range(40)
    ]
    made = compare(rows, baseline="a", candidate="b", expected="expected")
    page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=False)
    page.goto(made.report(tmp_path / "page.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert (page.evaluate(WIDE), page.evaluate(MADE, "main *")) == ([], [])
    page.close()


def test_the_static_pages_are_read_on_a_phone(browser: Any, project: Lab, tmp_path: Path) -> None:
    """Nothing is wider than the window; of a folded row each value stands beside its label, a chip
    as wide as its word; what is empty takes no line; the ends of an axis of time do not meet.
    """
    lab = Lab(tmp_path)
    versions = [lab.prompt("triage").save(text, model="m") for text in ("Be kind.", "Be brief.")]
    for version in versions:
        lab.promote(version, env="prod", force=True, reason="the first two")
    for name, text in site_files(lab.project, 20).items():
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(text, encoding="utf-8")
    page = browser.new_page(viewport={"width": 360, "height": 800})
    for name in ("index.html", "prompts/triage.html"):
        page.goto((tmp_path / "out" / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        chips = page.locator("td[data-label] > .chip")
        boxes = [chip.bounding_box() for chip in chips.all()]
        assert boxes
        assert max(box["width"] for box in boxes) < 60
        cells = page.locator("td[data-label]:has(> .chip:only-child)")
        assert max(cell.bounding_box()["height"] for cell in cells.all()) < 26
    ticks = page.locator("svg text[text-anchor=start], svg text[text-anchor=end]").all()
    first, last = (tick.bounding_box() for tick in ticks)
    assert first["x"] + first["width"] < last["x"]
    assert page.locator("svg .po-inner").first.is_hidden()
    page.close()


def test_the_static_page_survives_a_sanitiser(browser: Any, project: Lab) -> None:
    """Without styles, handlers and scripts, as a code host shows a saved notebook, tables and
    pictures still say the result.
    """
    static = project.dashboard().static()
    page = browser.new_page(java_script_enabled=False)
    page.set_content(
        "".join(
            part.partition("</style>")[2] if place else part
            for place, part in enumerate(static.split("<style>"))
        )
    )
    text = page.inner_text("body")
    assert "v2" in text
    assert "triage" in text
    assert page.locator("svg").count() >= 2
    assert page.locator("table").count() >= 2
    page.close()
