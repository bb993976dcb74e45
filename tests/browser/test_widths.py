"""Every view at every width, over little and much data, few and many versions and scorers, names
that are long, and text that runs from right to left or has no spaces: nothing is wider than its
place, in the light scheme and in the dark one.

No JupyterLab is needed: what a saved notebook holds of each view stands in one page, each in a cell
as wide as the window. A page at 200 % zoom is the page at half the width.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from everything import LONG
from looks import WIDE

from promptops.lab import Dataset, Lab, Study, compare
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, equals, length, matches, scorer, similar_to
from promptops.views.environments import EnvironmentsView
from promptops.views.examples_view import ExamplesView
from promptops.views.labels import LabelView
from promptops.views.prompts_tab import PromptsView
from promptops.views.theme import page as styled
from promptops.views.trend_page import trend_html

pytestmark = pytest.mark.browser

ARABIC = "أين طلبي؟ دفعت مرتين هذا الشهر وأريد استرداد المبلغ من فضلكم. رقم حسابي هو"
CHINESE = "我的包裹在哪里这个月我被收取了两次费用请退还其中一笔我的账号是" * 4
WIDTHS = (1280, 1024, 700, 640, 512, 390)  # 640 and 512: 1,280 and 1,024 at 200 % zoom


@scorer(name=LONG, version="1")
def long_name(output: str, expected: str) -> bool:
    """Right, under a name that no column holds."""
    return output == expected


EIGHT = [
    equals(),
    long_name,
    contains("e"),
    length(at_most=20),
    length(at_least=1),
    matches("y"),
    contains("s"),
    similar_to(),
]


def study_of(folder: Path, text: str, examples: int, versions: int, scorers: list[Any]) -> Study:
    """A finished study; the model behind its name changes half-way."""

    def answer(request: Mapping[str, Any]) -> Reply:
        words = request["messages"][-1]["content"].split()
        number, which = int(words[-1]), int(words[0])
        right = number % (which + 2)
        return Reply("yes" if right else f"no {text}", model=f"model-{number % 2}")

    lab = Lab(folder, models={"m": ScriptedModel(answer, label="m")})
    prompt = lab.prompt("support/triage-of-every-ticket-that-anybody-ever-wrote-to-us-in-2026")
    saved = [
        prompt.save(f"{which} {{{{ticket}}}} {text} {{{{number}}}}", model="m", note=text)
        for which in range(versions)
    ]
    rows = [
        {
            "id": f"t{n:04}-{text[:8]}",
            "number": str(n),
            "ticket": f"{text} {n}",
            "expected": "yes",
            "tags": [text[:30], "even" if n % 2 else "odd"],
        }
        for n in range(examples)
    ]
    data = Dataset.read(rows, tags="tags")
    study = lab.evaluate(saved, data, scorers, name=f"{text[:40]} {LONG}").wait()
    lab.promote(saved[0], env="prod", force=True, reason=text)  # history shows that it was forced
    lab.promote(saved[1], env="prod", force=True, reason=LONG)
    return study


# of the studies with much in them; all views are of the first study, whose text is Arabic
WIDE_ONES = ("comparison", "study", "leaderboard", "examples", "dashboard")


def views_of(study: Study, names: Sequence[str] = ()) -> dict[str, str]:
    """What a saved notebook holds of each view, or of those that are named."""
    lab = Lab(study.recorded.project.root, models={"m": ScriptedModel(["yes"])})
    name = study.record.prompt
    made: dict[str, Callable[[], str]] = {
        "comparison": study.compare()._repr_html_,
        "study": study._repr_html_,
        "leaderboard": lambda: study.leaderboard()._repr_html_(),
        "examples": lambda: ExamplesView(study).static(),
        "label": lambda: LabelView(study, rater="cleo").static(),
        "prompts": lambda: PromptsView(lab).static(),
        "playground": lambda: lab.playground(name).static(),
        "environments": lambda: EnvironmentsView(lab).static(),
        "dashboard": lambda: lab.dashboard().static(),
        "history": lambda: lab.history(name, env="prod")._repr_html_(),
        "live": lambda: lab.live(name, env="prod")._repr_html_(),
        "trend": lambda: styled(trend_html(lab.project, name)),
        "lab": lab._repr_html_,
        "version": lambda: lab.prompt(name)[1]._repr_html_(),
        "dataset": study.recorded.dataset._repr_html_,
    }
    return {name: make() for name, make in made.items() if name in (names or made)}


def searched(folder: Path) -> str:
    """A search over few rows, as its cell keeps it."""
    lab = Lab(folder, models={"m": ScriptedModel(lambda request: "yes", label="m")})
    seed = lab.prompt("colour").save(f"{CHINESE} {{{{ticket}}}}", model="m")
    rows = [
        {"id": f"r{n}", "ticket": f"{ARABIC} {n}", "expected": "yes" if n % 3 else "no"}
        for n in range(60)
    ]
    search = lab.optimize(seed, Dataset.read(rows), [equals()], method="few_shot", budget_calls=90)
    return search._repr_html_()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], list[Path]]]:
    """(view -> its HTML, files that are pages of their own)."""
    folder = tmp_path_factory.mktemp("widths")
    views: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        few = study_of(folder / "few", ARABIC, 3, 2, [equals()])
        many = study_of(folder / "many", CHINESE, 300, 2, EIGHT)
        twelve = study_of(folder / "twelve", LONG, 12, 12, EIGHT)
        for label, study in (("few", few), ("many", many), ("twelve", twelve)):
            names = () if label == "few" else WIDE_ONES
            views |= {f"{label} {name}": html for name, html in views_of(study, names).items()}
        views["search"] = searched(folder / "search")
        rows = [
            {
                "q": f"{CHINESE[:30]} {n}",
                "gold": "yes",
                "a": "yes" if n % 3 else ARABIC,
                LONG: "yes",
            }
            for n in range(30_000)
        ]
        table = compare(rows, baseline="a", candidate=LONG, expected="gold")
        views["30,000 examples"] = table._repr_html_()
        pages = [table.report(folder / "table.html")]
        pages += [study.report(folder / f"{study.id}.html") for study in (few, many)]
        yield views, pages


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_is_wider_than_its_cell(
    browser: Any, shown: tuple[dict[str, str], list[Path]], scheme: str
) -> None:
    """At each width, with the folds open."""
    cells = "".join(
        f"<div class='jp-OutputArea-output' id='{place}'>{html}</div>"
        for place, html in enumerate(shown[0].values())
    )
    page = browser.new_page(color_scheme=scheme)
    page.set_content(f"<!doctype html><meta charset='utf-8'><body>{cells}</body>")
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(WIDE) == [], width
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_report_is_wider_than_the_window(
    browser: Any, shown: tuple[dict[str, str], list[Path]], scheme: str
) -> None:
    """A study's and a table's, from a phone's width up."""
    page = browser.new_page(color_scheme=scheme)
    for report in shown[1]:
        page.goto(report.as_uri())
        page.evaluate(
            "document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"
        )
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(WIDE) == [], (report.name, width)
    page.close()


def test_what_a_reader_must_know_is_in_them(
    shown: tuple[dict[str, str], list[Path]],
) -> None:
    """The changed model in the comparison and the report, the forced promotion in the history."""
    views, pages = shown
    assert "model-1" in views["many comparison"]
    assert "forced" in views["few history"]
    assert all("model-1" in page.read_text("utf-8") for page in pages[1:])
