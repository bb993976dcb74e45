"""A project as static pages: what serves, history, evidence, studies and alarms, without a script,
with hostile text shown and not obeyed, and the same bytes for the same project.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.study.project import Project
from promptops.views.site import site_files
from promptops.views.trend_page import trend_page

HOSTILE = "<script>alert(1)</script> $x$ \u202eمحمد 王"
NAME = "team/triage"


def _answer(request: Mapping[str, Any]) -> str:
    text = str(request["messages"][-1]["content"])
    number = int(text.split("#")[-1])
    if number in WRONG or (text.startswith("A") and number % 2):
        return HOSTILE
    return str(number)


WRONG: set[int] = set()


def _call(number: int) -> dict[str, Any]:
    """A live call of v2; each fourth failed, and its content was kept."""
    return {
        "id": f"l-{number:02}",
        "prompt": NAME,
        "env": "prod",
        "version_id": "p1-2",
        "version": 2,
        "started_at": f"2099-12-01T{number:02}:00:00",
        "latency_ms": 100.0,
        "failure": None if number % 4 else "rate_limit",
        "output": "a user's secret matter",
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two prompts; one study with its evidence; a monitor that alarms; hostile notes."""
    root = tmp_path_factory.mktemp("site") / "project"
    root.mkdir()
    lab = Lab(root, models={"m": ScriptedModel(_answer)})
    prompt = lab.prompt(NAME)
    v1 = prompt.save("A {{q}}", model="m", note=HOSTILE)
    v2 = prompt.save("B {{q}}", model="m")
    lab.prompt("plain").save("Hello", model="m")
    lab.promote(v1, env="prod", force=True, reason=HOSTILE)
    rows = [{"id": f"e{n}", "q": f"{HOSTILE} #{n}", "expected": str(n)} for n in range(40)]
    study = lab.evaluate([v1, v2], rows, [equals()], name=f"study {HOSTILE}")
    lab.promote(v2, env="prod", study=study)
    monitor = lab.watch(NAME, env="prod", probe=rows[:20], scorers=["equals()"])
    monitor.run("2099-12-01")
    WRONG.update(range(15))
    for day in ("2099-12-02", "2099-12-03"):
        monitor.run(day)
    WRONG.clear()
    lab.project.store.append("live", [_call(number) for number in range(20)])
    lab.project.close()
    return root


@pytest.fixture(scope="module")
def files(root: Path) -> Mapping[str, str]:
    project = Project.open(root)
    found = site_files(project, 20)
    project.close()
    return found


def test_pages_and_links_between_them(files: Mapping[str, str]) -> None:
    """Each link of a page leads to another page of the site."""
    assert {"index.html", "prompts/team~triage.html", "prompts/plain.html"} < set(files)
    [study] = [name for name in files if name.startswith("studies/")]
    for name, page in files.items():
        links = re.findall(r"<a href='([^']*)'", page)
        targets = {str((Path("/") / name).parent / link) for link in links}
        assert {str(Path(re.sub(r"[^/]+/\.\./", "", target))) for target in targets} <= {
            f"/{known}" for known in files
        }
    assert study in files["index.html"]
    assert f"../{study}" in files["prompts/team~triage.html"]


def test_what_serves_why_and_what_is_alarmed(files: Mapping[str, str]) -> None:
    """The first page answers; the prompt's page has history, evidence and drawn alarms."""
    first, prompt = files["index.html"], files["prompts/team~triage.html"]
    assert "▼ 1 alarm" in first
    assert "changed the behaviour under the same name" in first
    assert first.count("forced") == 1
    assert "20 more of 40 examples" in first
    for text in ("History in prod", "serves now", "e-", "threshold 365", "What changed from v1"):
        assert text in prompt, text
    assert re.search(r"▲ promote</b> <span class='dim'>v2 in prod", prompt)


def test_live_calls_are_figures_without_what_was_answered(files: Mapping[str, str]) -> None:
    """By version with an interval, over the week before the newest call."""
    prompt = files["prompts/team~triage.html"]
    assert "<h2>Live calls</h2>" in prompt
    assert "25.0 % (11.2 to 46.9)" in prompt
    assert "until 2099-12-01 19:00 UTC" in prompt
    assert "Live calls" not in files["prompts/plain.html"]
    assert not any("secret matter" in page for page in files.values())


def test_hostile_text_is_shown_and_not_obeyed(files: Mapping[str, str]) -> None:
    """No script but the report's own filter, nothing loaded, and a policy that forbids both."""
    for name, page in files.items():
        scripts = page.count("<script")
        assert scripts == (1 if name.startswith("studies/") else 0), name
        assert "default-src 'none'" in page
        assert "\u202e" not in page
        assert not re.search(r"(src|href)=['\"](https?:)?//", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &#36;x&#36;" in files["index.html"]


def test_the_same_project_gives_the_same_bytes_wherever_it_is(
    files: Mapping[str, str], root: Path
) -> None:
    """No clock and no path of the machine is in a page."""
    moved = root.parent / "elsewhere" / root.name
    moved.parent.mkdir()
    root.rename(moved)
    project = Project.open(moved)
    again = site_files(project, 20)
    project.close()
    moved.rename(root)
    assert again == files
    assert not any(str(root.parent) in page for page in files.values())
    assert "The newest entry shown is of 2099-12-03 UTC." in files["index.html"]


def test_without_store_registry_and_evidence_remain(root: Path, tmp_path: Path) -> None:
    """A fresh clone has what is committed."""
    import shutil

    clone = tmp_path / "clone"
    shutil.copytree(root, clone, ignore=shutil.ignore_patterns(".promptops"))
    project = Project.open(clone)
    found = site_files(project, 20)
    project.close()
    assert not any(name.startswith("studies/") for name in found)
    assert "▲ promote" in found["prompts/team~triage.html"]
    assert not (clone / ".promptops").exists()
    for file in (clone / "promptops.evidence").glob("*.json"):
        file.write_text("{}")
    edited = site_files(project, 20)["prompts/team~triage.html"]
    assert "is missing or was edited" in edited
    assert str(clone) not in edited


def test_the_trend_draws_a_version_in_its_own_colour(root: Path) -> None:
    """The colour is that of the version's chip on every other page, and the legend is in order."""
    from promptops.views.theme import colour

    project = Project.open(root)
    page = trend_page(project)
    project.close()
    points = re.findall(r"<circle [^>]*r='5' fill='(#\w+)'", page)
    assert points[-2:] == [colour(1), colour(2)]
    assert set(points) == {colour(1), colour(2)}
