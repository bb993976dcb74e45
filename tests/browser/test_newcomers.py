"""Three people who have read the README and nothing else: a researcher with a messy table and a
call that works, a reviewer who never wrote Python, an engineer whose application loads the winner.

Nobody forces anything. The model is the embedded one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harness import copy_data, jupyterlab, notebook, open_notebook, run_all

pytestmark = pytest.mark.browser

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TABLE = 'compare("results.csv", baseline="gpt_answer", candidate="mini_answer", expected="gold")'
CELLS = [
    "import time; began = time.process_time()\n"
    f"from promptops.lab import compare\nfound = {TABLE}\n"
    "print(f'took {time.process_time() - began:.1f} s of the processor')\nfound",
    """from promptops.lab import Lab, Dataset, PromptVersion
from promptops.scorers import similar_to, json_has
text = "The app closes when I open a photo. User u-12345."
call = dict(model="embedded", temperature=0,
            messages=[{"role": "user", "content": "Classify this ticket: " + text}])
lab = Lab()
triage = lab.prompt("support-triage")
v1 = triage.save(PromptVersion.from_request(call, variables={"ticket": text}), note="what we had")
v2 = v1.but(messages='''Classify the support ticket. Answer with JSON only, with the keys user_id,
category (billing, bug, how_to, account, shipping or feedback) and priority (low, normal, high or
urgent). If the ticket has no user id, user_id is null.

{{ticket}}''', note="names the keys")
tickets = Dataset.read("support_tickets.jsonl")
study = lab.evaluate([v1, v2], tickets.test, [similar_to(), json_has("user_id")], name="first")
study.compare(candidate=v2, baseline=v1)""",
    """lab.promote(v1, env="prod", study=study, reason="what we had in the code")
lab.promote(v2, env="prod", study=study, reason="answers with the keys that the queue reads")""",
    """import promptops
prompt = promptops.load("support-triage", env="prod")
print("the application loads version", prompt.number)
study.report("report.html")""",
]


def write_messy(path: Path) -> None:
    """A table as people send it: a mark of its encoding, semicolons, blank lines, spaces.

    Of 60 answers 30 of the baseline's are right, and 48 of the candidate's.
    """
    rows = ["id ;gpt_answer;mini_answer; gold"]
    for n in range(60):
        gold = ("billing", "bug", "how_to")[n % 3]
        baseline = gold if n % 2 else "other"
        candidate = gold if n % 5 else "other"
        rows.append(f"{n};{baseline};{candidate} ;{gold}")
    path.write_bytes(("\r\n".join([*rows, "", ""])).encode("utf-8-sig"))


@pytest.fixture(scope="module")
def walked(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """The researcher's folder after every cell was run in a JupyterLab, and the page."""
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    copy_data(folder)
    write_messy(folder / "results.csv")
    (folder / "first.ipynb").write_text(notebook(CELLS))
    with jupyterlab(folder, home) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        open_notebook(page, url, "first.ipynb")
        run_all(page)
        page.wait_for_selector("text=the application loads version", timeout=120_000)
        yield folder, page
        page.close()


def test_a_researcher_gets_a_right_verdict_from_a_messy_table(walked: tuple[Path, Any]) -> None:
    """One line of the README, at most 5 s of the processor with the import."""
    assert TABLE in README
    _, page = walked
    first = page.locator(".jp-Cell-outputArea").nth(0)
    shown = first.inner_text()
    assert "+30.0 points" in shown
    assert re.search(r"n = 60 examples", shown)
    took = re.search(r"took (\S+) s of the processor", shown)
    assert took
    assert float(took[1]) <= 5


def test_a_researcher_s_own_call_becomes_the_prompt_that_an_application_loads(
    walked: tuple[Path, Any],
) -> None:
    """From the keywords of a working call; nothing was forced, and no cell failed."""
    _, page = walked
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert "the application loads version 2" in page.locator(".jp-Notebook").inner_text()
    assert not any("force" in cell for cell in CELLS)


@pytest.mark.parametrize("width", [1280, 1024])
def test_a_reviewer_finds_five_answers_on_the_first_screen(
    browser: Any, walked: tuple[Path, Any], width: int
) -> None:
    """Which is better, how sure, where it loses, what it costs, what serves since when and why."""
    folder, _ = walked
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((folder / "report.html").as_uri())
    answers = {
        "which is better": page.locator(".card b.v", has_text="promote"),
        "by how much": page.locator(".po-effect", has_text="points"),
        "how sure": page.get_by_text(re.compile(r"90 % interval .* one-sided")).first,
        "where it loses": page.get_by_text("got worse").first,
        "what it costs": page.get_by_text(re.compile("1,000 answers cost")).first,
        "what serves": page.get_by_text(re.compile("^prod serves")).first,
    }
    for question, answer in answers.items():
        box = answer.bounding_box()
        assert box is not None, question
        assert box["y"] + box["height"] <= 900, (question, box)
    serves = answers["what serves"].inner_text()
    assert re.search(r"serves v2 since \d{4}-\d\d-\d\d \d\d:\d\d UTC", serves)
    assert "answers with the keys that the queue reads" in serves
    page.close()


def test_an_engineer_loads_it_in_python_and_in_typescript(
    walked: tuple[Path, Any], tmp_path: Path
) -> None:
    """The same request from both; Python needs nothing but the package, Node one file."""
    from tests.conformance.test_node import found_node

    folder, _ = walked
    application = (
        "import json, promptops, sys\n"
        'prompt = promptops.load("support-triage", env="prod")\n'
        'print(json.dumps([prompt.request(ticket="It broke."),'
        ' "pandas" in sys.modules or "duckdb" in sys.modules]))\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", application], cwd=folder, capture_output=True, text=True, check=True
    )
    asked, heavy = json.loads(done.stdout)
    assert asked["model"] == "embedded"
    assert "It broke." in asked["messages"][-1]["content"]
    assert not heavy
    export = [sys.executable, "-m", "promptops", "export", "--typescript", str(folder / "src")]
    subprocess.run(export, cwd=folder, capture_output=True, check=True)
    node = found_node()
    if node is None or node[1] < (22, 6):
        pytest.skip("this machine has no node that runs TypeScript")
    (folder / "src" / "package.json").write_text('{"type": "module"}')
    (folder / "src" / "app.ts").write_text(
        'import { load } from "./promptops.ts";\n'
        'const prompt = load("support-triage", { env: "prod" });\n'
        'console.log(JSON.stringify(prompt.request({ ticket: "It broke." })));\n'
    )
    run = [node[0], "--experimental-strip-types", "--no-warnings", "src/app.ts"]
    said = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == asked
