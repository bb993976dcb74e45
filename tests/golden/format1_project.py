"""The project whose files are kept in tests/golden/format1/, made once with the code of 0.1.

It has every policy field, deployments of every kind, every table with every column, and a store in
all its states at once: archived, merged, not merged yet, and purged while another process wrote.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from promptops.cli.__main__ import group
from promptops.lab import Dataset, Guardrail, Lab, Policy, keep_labels
from promptops.models.protocol import Call, Reply
from promptops.models.scripted import ScriptedModel
from promptops.registry import needs
from promptops.scorers import contains, equals, length, rubric
from promptops.store import Store
from promptops.version import PromptVersion
from tests.golden.format1_exports import every_column, exports, keep

MODEL = "golden-model"
ROWS = 90
TAGS = ("billing", "Größe", "日本語")
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Finds an order.",
        "parameters": {
            "type": "object",
            "properties": {"id": {"type": "string"}},
            "required": ["id"],
        },
    },
}
LABEL = {"type": "object", "properties": {"label": {"type": "string"}}, "required": ["label"]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "triage", "schema": LABEL}}
VARIABLES = {
    "name": {"type": "string", "description": "who asks, «quoted»", "example": "Zoë"},
    "count": {"type": "number", "default": 1.5},
    "urgent": {"type": "boolean", "default": False},
    "facts": {"type": "object", "default": {"b": 1, "a": [None, "é"]}},
    "parts": {"type": "list", "default": ["x", "y"]},
}
STUDY = """\
prompt = "route"
candidate = "v2"
baseline = "env:prod"
dataset = "data/route.jsonl"
split = "test"
repeats = 1
name = "route-ci"
scorers = ["equals", {name = "length", at_most = 100}]

[columns]
expected = "gold"
tags = "topic"

[policy]
goal = "better"
alpha = 0.05
min_n = 20

[options]
budget_tokens = 1000000
"""
ROUTE = """Classify the ticket. Answer with one label and nothing else: one of refund, shipping, bug.

Labels:
- refund: money, charged
- shipping: parcel, courier
- bug: crash, error

Ticket: {{ticket}}"""


# -- who answers


def answer(call: Call) -> Reply:
    """Right as often as the wording promises, by fixed chance; a few answers are cut off."""
    said = json.dumps(call.request["messages"], ensure_ascii=False)
    skill = 92 if "expert" in said else 78 if "careful" in said else 40
    number = int(said.rpartition("question ")[2].split()[0].strip('"}]'))
    lot = zlib.crc32(f"{skill}|{number}|{call.repeat}".encode()) % 100
    text = f"answer {number}" if lot < skill or number < 3 else f"I do not know 🤷 {number}"
    cut = skill == 40 and number % 23 == 7
    return Reply(
        text="I was about to" if cut else text,
        finish_reason="length" if cut else "stop",
        failure="truncated_length" if cut else None,
        tokens_in=40 - skill // 10,
        tokens_out=len(text) // 4,
        tokens_cached=2,
        model=f"{MODEL}-2026-01",
        fingerprint="fp_golden",
        request_id=f"req-{number}",
        first_token_ms=1.25,
    )


def judging(request: Any) -> str:
    """5 for what answers, else 1."""
    text = request["messages"][-1]["content"]
    mark = text.partition("<<TASK ")[2].partition(">>")[0]
    good = "\nanswer " in text.partition("<<ANSWER ")[2]
    return json.dumps({"case": mark, "reason": "seen «so»", "score": 5 if good else 1})


def tickets() -> Dataset:
    """Rows with splits, clusters, tags and text of many scripts; the last ones are to be purged."""
    rows = [
        {
            "id": f"e{n:02}",
            "ticket": f"{TAGS[n % 3]} question {n}",
            "expected": f"answer {n}",
            "split": "train" if n % 9 == 8 else "val" if n % 9 == 7 else "test",
            "cluster": f"c{n // 2}",
            "tags": [TAGS[n % 3]],
        }
        for n in range(ROWS)
    ]
    return Dataset.read(rows)


# -- the project


def make(target: Path) -> None:
    """Everything, in a folder that moves into `target` once it is whole."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "project"
        (root / "data").mkdir(parents=True)
        _git(root)
        models = {
            MODEL: ScriptedModel(answer, "golden", remote=True, failures={5: "rate_limit"}),
            "judge": ScriptedModel(judging, "judge"),
        }
        lab = Lab(root, models=models, prices={MODEL: (1.0, 4.0), "judge": (2.0, 8.0)})
        _save(lab)
        _policies(lab)
        _archived(lab)
        _purged(lab)
        _merged(lab, root)
        before = (root / ".promptops" / "store.duckdb").read_bytes()
        _unmerged(lab)
        _deploy(lab)
        lab.store.close()
        every_column(root / ".promptops")
        exports(root)
        (root / ".promptops" / "store.duckdb").write_bytes(before)
        keep(root, target)


def _git(root: Path) -> None:
    """A commit, so that runs name one."""
    (root / ".gitignore").write_text(".promptops/\n")
    who = ["-c", "user.name=golden", "-c", "user.email=golden@example.invalid"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "golden"]):
        subprocess.run(["git", "-C", str(root), *words], check=True)


def _save(lab: Lab) -> None:
    triage = lab.prompt("support-triage")
    user = {"role": "user", "content": "{{ticket}}"}
    triage.save("Ticket: {{ticket}}", model=MODEL, note="as it was in the code")
    careful = [{"role": "system", "content": "Be careful, höflich 🙂\n\tno more\n"}, user]
    kept: dict[str, Any] = {"tools": [TOOL], "response_format": SCHEMA, "stop": ["x"]}
    triage.save(careful, model=MODEL, note="the rules first\nÜ 日本", temperature=0.2, **kept)
    expert = [{"role": "system", "content": "You are an expert."}, user]
    triage.save(expert, model=MODEL, note="shorter", temperature=0, max_tokens=64)
    rich = lab.prompt("a/b.c_d")
    text = "{{name}} {{count}} {{urgent}} {{facts}} {{parts}} \\{{name}}"
    rich.save([{"role": "history"}, {"role": "user", "content": text}], variables=VARIABLES)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    rich.save([{"role": "user", "content": [{"type": "text", "text": "See\n{{name}}"}, image]}])
    answers = lab.prompt("answers")
    answers.save("A question, please: {{ticket}}", model=MODEL)
    answers.save([{"role": "system", "content": "careful"}, user], model=MODEL, note="b")
    answers.save([{"role": "system", "content": "expert"}, user], model=MODEL, note="c")
    lab.prompt("draft").save("Never evaluated: {{x}}", model=MODEL, note="„Entwurf“")
    fewer = ROUTE.replace(", bug.", ".").replace("- bug: crash, error\n", "")
    lab.prompt("route").save(fewer, model="embedded", temperature=0)
    lab.prompt("route").save(ROUTE, model="embedded", temperature=0)


def _policies(lab: Lab) -> None:
    """One with every field off its default, one for the registry, one of another goal."""
    names = equals().name, length(at_most=100).name
    every = Policy(
        goal="not_worse",
        primary=names[0],
        alpha=0.04,
        min_effect=0.01,
        margin=0.1,
        guardrails=(Guardrail(names[1], 0.2), Guardrail("tokens", 0.3)),
        min_n=40,
        min_score=0.2,
        must_pass=("e00", "e01"),
        path=("dev", "staging"),
        ungated=("dev", "sandbox"),
        judge_alone=True,
        dataset=tickets().split("test").fingerprint,
        ties="half",
    )
    lab.project.registry.set_policy(Policy(min_n=20, ungated=("dev", "sandbox")))
    lab.project.registry.set_policy(every, "support-triage")
    lab.project.registry.set_policy(Policy(goal="cheaper", margin=0.2), "answers")


def _archived(lab: Lab) -> None:
    """Archived: a judge with people's labels, imported answers, a target, a call, an early end."""
    answers = lab.prompt("answers")
    data, judge = tickets().split("test"), rubric("Is it good?", judge="judge", name="quality")
    versions = [answers[1], answers[2], answers[3]]
    study = lab.evaluate(versions, data, [equals(), judge], name="answers-1")
    frame = study.runs()[["id", "output"]].head(40)
    good = [float("answer" in str(output)) for output in frame["output"]]
    keep_labels(study, pd.DataFrame({"run_id": frame["id"], "value": good}), "Ada")
    study.compare(answers[2], answers[1]).verdict  # noqa: B018 - counts the split's wear
    table = [
        {"example_id": f"e{n:02}", "version": v, "output": f"answer {n + (v == 'old') * (n % 2)}"}
        for n in range(30)
        for v in ("old", "new")
    ]
    lab.import_runs(table, tickets(), [equals()], prompt="elsewhere", name="imported-1")
    scratch = PromptVersion("{{ticket}}")
    few = [{"id": i, "ticket": f"I am {i}", "expected": "answer 1"} for i in ("t1", "t2", "t3")]
    own = {"target": lambda ticket: "answer 1", "name": "target-1"}
    lab.evaluate([scratch], Dataset.read(few), [equals()], **own)
    settled = [lab.prompt("answers")[1], lab.prompt("answers")[3]]
    lab.evaluate(settled, tickets(), [equals()], name="settled-1", stop_when="settled")
    lab.prompt("answers")[1](ticket="ad hoc question 7 ")
    lab.store.close()
    assert lab.store.archive() == 1


def _purged(lab: Lab) -> None:
    """Rows of one example: removed from the archive, hidden in the segment of a live writer."""
    writer = Store(lab.store.folder)
    taken = lab.store.frame("select * from runs where example_id in ('t2', 't3')")
    rows = [{k: v for k, v in row.items() if not pd.isna(v)} for row in taken.to_dict("records")]
    fresh = [{**row, "id": f"r-{n:032x}", "key": f"k1:{n:032x}"} for n, row in enumerate(rows)]
    assert {row["example_id"] for row in fresh} == {"t2", "t3"}
    writer.append("runs", fresh)
    purged = lab.store.purge(["t2"])
    assert purged.removed["runs"] == 2, purged
    assert (lab.store.folder / "purged.json").exists(), purged
    writer.close()


def _merged(lab: Lab, root: Path) -> None:
    """A study file and what it comes to: in the DuckDB file, its segment not archived."""
    said = {
        "refund": "I was charged twice, money back",
        "shipping": "where is my parcel, courier lost it",
        "bug": "crash with an error",
    }
    with (root / "data" / "route.jsonl").open("w", encoding="utf-8") as file:
        for n in range(72):
            gold = list(said)[n % 3]
            split = "train" if n % 6 == 5 else "test"
            row = {"id": f"r{n}", "ticket": f"{said[gold]} ({n})", "gold": gold, "split": split}
            file.write(json.dumps({**row, "topic": [gold]}) + "\n")
    (root / "study.toml").write_text(STUDY, encoding="utf-8")
    lab.promote(lab.prompt("route")[1], "prod", force=True, reason="the first of all")
    lab.store.close()
    words = ["evaluate", str(root / "study.toml"), "--root", str(root)]
    try:
        group().main(words, standalone_mode=False)
    except SystemExit as ended:
        assert ended.code == 0, "the study file holds"
    Store(root / ".promptops").merge()


def _unmerged(lab: Lab) -> None:
    """A planned study with repeats, its labels, verdicts and a second scoring."""
    triage = lab.prompt("support-triage")
    scorers = [equals(), length(at_most=100)]
    v1, v2, v3 = triage[1], triage[2], triage[3]
    plan = lab.plan("support-triage", tickets(), scorers, repeats=2, split="test")
    study = lab.evaluate([v1, v2, v3], tickets(), plan=plan, repeats=2, name="triage-1")
    study.compare(v2, v1).verdict  # noqa: B018 - counts the split's wear
    study.rescore([contains("answer")])
    for rater in ("Ada", "Zoë"):
        queue = study.labelling(rater)
        for label in ("first", "tie", "second"):
            queue.answer(label, note="«so»")
    queue = study.labelling("Ada", "rubric")
    for label in ("pass", "partly", "fail"):
        queue.answer(label)


def _deploy(lab: Lab) -> None:
    """Deployments of every kind: on evidence, forced, canaries, rollbacks, and a repeated one."""
    registry, triage = lab.project.registry, lab.prompt("support-triage")
    study, answers = lab.study("triage-1"), lab.prompt("answers")
    for version in (triage[1], triage[2]):
        for env in ("dev", "staging", "prod"):
            lab.promote(version, env, study=study, reason=f"{version.label} is good – “ok”")
    lab.promote(triage[3], "dev", study=study)
    lab.promote(triage[3], "staging", study=study)
    lab.promote(triage[3], "prod", study=study, percent=12.5, reason="a few first")
    lab.promote(triage[3], "prod", study=study, percent=25)
    lab.rollback(triage[3], "dev", reason="odd answers")
    lab.promote(triage[2], "prod-eu", study=study)
    lab.promote(triage[1], "prod-eu", study=study, force=True, reason="an outage, 停止")
    lab.promote(lab.prompt("draft")[1], "prod", force=True, reason="no time")
    lab.promote(lab.prompt("a/b.c_d")[1], "dev")
    lab.promote(lab.prompt("a/b.c_d")[2], "sandbox")
    for number in (1, 2):
        lab.promote(lab.prompt("route")[number], "staging", study=lab.study("route-ci"))
    other = lab.study("answers-1")
    lab.promote(answers[1], "prod", study=other)
    lab.promote(answers[2], "prod", study=other)
    lab.rollback(answers[2], "prod", reason="a complaint")
    lab.promote(answers[2], "prod", study=other, again="it was the network")
    lab.promote(answers[3], "prod", study=other, percent=1)
    registry.abort("answers", "prod", author="on call", reason="slow")
    lab.promote(answers[3], "prod", study=other, percent=50, again="tried again")
    registry.finish("answers", "prod", author="on call")
    statement = needs.Need.of("support-triage", {"ticket": "string"}, LABEL)
    path = lab.project.root / needs.FOLDER / "checkout.json"
    needs.write(str(path), "checkout – Kasse", [statement])
