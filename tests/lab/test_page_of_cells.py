"""The page of cells and commands: what is decided that a user writes, run from top to bottom.

The model behind `gpt-6-mini` is a loopback server that reads labels off the tickets.
"""

from __future__ import annotations

import csv
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openai import OpenAI

import promptops
from promptops.cli.__main__ import group
from tests.faults.server import FaultServer, Say, Seen, completion

LABELS = ("billing", "bug", "shipping", "account")
FILES = Path(__file__).parents[1] / "exchange" / "files"

NOTEBOOK = (
    """
from promptops.lab import Lab, Dataset, compare
from promptops.scorers import equals, json_has

compare("results.csv", baseline="gpt_answer", candidate="mini_answer", expected="gold")
""",
    """
compare(baseline="a.eval", candidate="b.eval")
""",
    """
lab = Lab()
triage = lab.prompt("support-triage")
v1 = triage.save(messages, model="gpt-6-mini", note="what the code had")
v2 = v1.but(messages=better, note="one example per category")
tickets = Dataset.read("data/tickets.csv", expected="category")
scorers = [equals(), json_has("user_id")]
""",
    """
lab.estimate([v1, v2], tickets, scorers, batch=True)
""",
    """
plan = lab.plan(triage, tickets.test, scorers, finalists=[v2])
study = lab.evaluate([v1, v2], tickets, plan=plan, budget_usd=5)
""",
    """
study = lab.evaluate([v1, v2], tickets, plan=plan, batch=True)
""",
    """
study.progress
""",
    """
study.compare(candidate=v2, baseline=v1)
""",
    """
study.review.label(rater="Ada")
""",
    """
lab.promote(v1, env="prod", reason="what the code had", force=True)
lab.promote(v2, env="prod", study=study, percent=10)
""",
    """
lab.promote(v2, env="prod", study=study)
lab.rollback(triage, env="prod")
""",
    """
lab.rollback(triage, env="prod", to=v1)
""",
    """
lab.history(triage, env="prod")
""",
    """
search = lab.optimize(v1, tickets, scorers, method="few_shot", budget_calls=60)
v3 = search.save(note="found by few_shot")
""",
    """
lab.promote(v3, env="prod", study=search.confirm())
""",
    """
found = lab.import_from("promptfooconfig.yaml")
[found.versions, found.dataset, found.scorers, found.study, found.notes]
""",
    """
lab.import_from("otel/*.jsonl")
""",
    """
live = lab.live(triage, env="prod", days=7)
live.score([json_has("user_id")], share=1.0, budget_usd=2)
live.where("failure is not null or model = 'gpt-6-mini'").to_dataset("data/from_live.jsonl")
""",
    """
lab.watch(triage, env="prod", probe=tickets.val, scorers=scorers, budget_usd=1)
""",
)
COMMANDS = (
    ("compare results.csv --baseline gpt_answer --candidate mini_answer --expected gold", {0, 1}),
    ("audit lm_eval_samples_a.jsonl lm_eval_samples_b.jsonl -o audit.html", {0, 1}),
    ("import promptfooconfig.yaml --dry-run", {0}),
    ("scan src/", {0}),
    ("scan src/ --write", {0}),
    ("scan src/ --write-baseline", {0}),
    ("scan src/ --check", {0}),
    ('save support-triage prompts/triage.md --note "shorter"', {0}),
    ("evaluate studies/ --junit out.xml --markdown pr.md", {0, 1}),
    ("evaluate studies/study.toml --dry-run", {0}),
    ("evaluate studies/study.toml --batch", {0, 1}),
    ("optimize studies/study.toml --dry-run", {0}),
    ("optimize studies/study.toml --save", {0, 1}),
    ("promote support-triage v2 --env prod --study first --percent 10", {0}),
    ("canary widen support-triage 50 --env prod", {0}),
    ("canary guard support-triage --env prod", {0}),
    ("canary guard support-triage --env prod --abort", {0}),
    ('watch run --webhook "http://127.0.0.1:9/hook"', {0}),
    ("watch accept support-triage --env prod --reason ok", {0}),
    ("status --env prod", {0, 1}),
    ("prices gpt-5-mini", {0}),
    ("site public/", {0}),
    ("store share shared", {0}),
)


def answer(seen: Seen) -> Say:
    """A third of the tickets is answered wrongly, all rightly where the prompt has examples."""
    ticket = str(seen.body["messages"][-1]["content"])
    label = next((each for each in LABELS if each in ticket), "other")
    number = int("".join(filter(str.isdigit, ticket.rpartition("#")[2])) or 0)
    shown = "".join(str(each["content"]) for each in seen.body["messages"])
    better = "for instance" in shown or shown.count("question") > 1  # told, or shown by examples
    said = label if better or number % 3 else LABELS[(number + 1) % 4]
    return Say(body=completion(said))


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer(answer) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the page takes for granted."""
    (tmp_path / "promptops.toml").write_text(
        f'budget_usd = 5.0\n[models."gpt-6-mini"]\nbase_url = "{server.url}"\n'
        'api_key_env = "OUR_KEY"\n[prices]\n"gpt-6-mini" = [0.2, 0.8]\n'
    )
    for folder in ("data", "otel", "prompts", "src", "studies"):
        (tmp_path / folder).mkdir()
    rows = [
        {"ticket": f"{LABELS[n % 4]} question #{n}", "category": LABELS[n % 4]} for n in range(72)
    ]
    table = [
        {"gpt_answer": row["category"] if n % 3 else "no", "mini_answer": row["category"]}
        for n, row in enumerate(rows)
    ]
    write_csv(tmp_path / "data" / "tickets.csv", rows)
    gold = [each | {"gold": row["category"]} for each, row in zip(table, rows, strict=True)]
    write_csv(tmp_path / "results.csv", gold)
    monkeypatch.setenv("OUR_KEY", "a-key-of-loopback")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


MESSAGES = [{"role": "system", "content": "Label it."}, {"role": "user", "content": "{{ticket}}"}]
BETTER = [
    {"role": "system", "content": "Label it, for instance billing."},
    {"role": "user", "content": "{{ticket}}"},
]
APPLICATION = """
client = promptops.observe(OpenAI(), content=True)
prompt = promptops.load("support-triage", env="prod", key=user_id)
answer = client.chat.completions.create(**prompt.request(ticket=text))
promptops.feedback(answer.id, good=False, correction="billing")
"""
MARKDOWN = """---
model: gpt-6-mini
---
# system
Label it, for instance: bug.
# user
{{ticket}}
"""
CODE = """
client.chat.completions.create(
    model="gpt-6-mini", messages=[{"role": "user", "content": f"Greet {name} in one sentence."}]
)
"""
STUDY = """format = 2
prompt = "support-triage"
candidate = "v2"
baseline = "v1"
dataset = "../data/tickets.csv"
scorers = ["equals"]
name = "first"
[columns]
expected = "category"
[optimize]
method = "few_shot"
budget_calls = 60
"""


def run(code: str, names: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(code, code.strip().partition("\n")[0], "exec"), names)


def files_of_others(project: Path) -> None:
    """What the page brings over."""
    for name, file in (
        ("a.eval", "lm_eval_samples_a.jsonl"),
        ("b.eval", "lm_eval_samples_b.jsonl"),
        ("promptfooconfig.yaml", "promptfoo_1_translate.yaml"),
    ):
        (project / name).write_bytes((FILES / file).read_bytes())
    traces = FILES.parents[1] / "monitor" / "files" / "openinference.jsonl"
    (project / "otel" / "spans.jsonl").write_bytes(traces.read_bytes())


def test_every_cell_of_the_page_runs(
    project: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in one notebook; the application's lines are run before its calls are looked at."""
    files_of_others(project)
    monkeypatch.setenv("PROMPTOPS_RECORD", str(project / "record"))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-loopback")
    names: dict[str, Any] = {"messages": MESSAGES, "better": BETTER}
    for cell in NOTEBOOK:
        if cell.startswith("\nlive = "):
            own = {"promptops": promptops, "OpenAI": OpenAI, "user_id": "ann"}
            run(APPLICATION, {**own, "text": "bug question #5"})
            assert promptops.observe.flush(10)
        run(cell, names)
    assert names["study"].compare(candidate=names["v2"], baseline=names["v1"]).verdict.decision
    steps = [
        (link.kind, link.number) for link in names["lab"].history("support-triage", env="prod")
    ]
    assert steps == [("promote", 1), ("canary", 1), ("promote", 2), ("rollback", 1), ("promote", 3)]
    assert promptops.load("support-triage", env="prod").number == 3
    assert names["v3"].number == 3
    assert len(names["live"].rows()) == 1
    assert (project / "data" / "from_live.jsonl").read_text("utf-8").count("\n") == 1
    assert list((project / "promptops.monitors").iterdir())
    names["lab"].store.close()


def calls_of_users(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live calls of both arms of the canary."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-loopback")
    for user in "abcdefgh":
        own = {"promptops": promptops, "OpenAI": OpenAI, "user_id": user}
        run(APPLICATION, {**own, "text": "bug question #5"})
    assert promptops.observe.flush(10)


def test_every_command_of_the_page_runs(
    project: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit codes that it names: 0 holds or done, 1 does not hold."""
    monkeypatch.setenv("PROMPTOPS_RECORD", str(project / "record"))
    files_of_others(project)
    for part in "ab":
        file = f"lm_eval_samples_{part}.jsonl"
        (project / file).write_bytes((FILES / file).read_bytes())
    (project / "src" / "app.py").write_text(CODE)
    (project / "prompts" / "triage.md").write_text(MARKDOWN)
    (project / "studies" / "study.toml").write_text(STUDY)
    names: dict[str, Any] = {"messages": MESSAGES}
    run(NOTEBOOK[0], names)
    run(NOTEBOOK[2].replace("v2 =", "# v2 ="), names)
    run('lab.promote(v1, env="prod", reason="the first", force=True)', names)
    run(NOTEBOOK[-1], names)
    names["lab"].store.close()
    for line, codes in COMMANDS:
        if line.startswith("canary guard"):
            calls_of_users(server, monkeypatch)
        done = CliRunner().invoke(group(), shlex.split(line))
        assert done.exit_code in codes, f"{line}: {done.exit_code}\n{done.output}"
