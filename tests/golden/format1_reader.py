"""What a release reads from the files of format 1: the calls of the product that their tests make.

Python names may change before 1.0: a renamed method, field or column is changed in this file. The
values (ids, bytes, numbers, texts of prompts) may not change: they are compared with
`format1/expected.json`, which 0.1 wrote by these functions.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from click.testing import CliRunner

from promptops import Loader, PromptVersion
from promptops.cli.__main__ import group
from promptops.errors import Refused
from promptops.lab import Lab
from promptops.models.protocol import Call, Reply
from promptops.models.scripted import ScriptedModel
from promptops.policy import by_former_names
from promptops.registry.editor import Editor
from promptops.scorers import contains, equals, length
from promptops.store import Store
from promptops.store.schema import FORMER, TABLES

FORMAT1 = Path(__file__).parent / "format1"
REGISTRY, STORE, EVIDENCE = "promptops.json", ".promptops", "promptops.evidence"

# names of 0.1 -> names of today, where they differ
COLUMNS: Mapping[str, str] = {  # "table.column" -> column
    f"{table}.{old}": new for table, names in FORMER.items() for old, new in names.items()
}

VALUES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "support-triage": [{"ticket": "a {{ticket}}\n– é 🙂"}],
    "a/b.c_d": [{"name": "Zoë {{count}}"}],
    "answers": [{"ticket": "x"}],
    "draft": [{"x": "1"}],
    "route": [{"ticket": "x"}],
}
KEYS = (None, *(f"user {n}" for n in range(24)))
COMPARED = (
    ("triage-1", "v2", "v1"),
    ("triage-1", "v3", "v2"),
    ("answers-1", "v2", "v1"),
    ("answers-1", "v3", "v1"),
    ("imported-1", "new", "old"),
    ("settled-1", "v3", "v1"),
    ("route-ci", "v2", "v1"),
)


def copied(target: Path, source: Path = FORMAT1) -> Path:
    """A project as 0.1 left it on a disk: the store under its own name, its files unpacked."""
    shutil.copytree(source, target)
    (target / "store").rename(target / STORE)
    for packed in target.rglob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    return target


def command(*words: str | Path) -> Any:
    """The command line's (exit_code, stdout, stderr)."""
    return CliRunner().invoke(group(), [str(word) for word in words])


# -- the registry


def questions(folder: Path) -> list[dict[str, Any]]:
    """Every prompt and environment with keys and values; Node's test reads the same shape."""
    editor = Editor(folder / REGISTRY)
    return [
        {"name": name, "env": env, "key": key, "values": values}
        for name in editor.names()
        for env in sorted(editor.environments(name))
        for key in KEYS
        for values in VALUES[name]
    ]


def served(registry: Path, asked: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a loader serves for each question: number, id, arm of a canary, messages."""
    loader = Loader(registry, saved_copy=False)
    said = []
    for question in asked:
        found = loader.get(question["name"], question["env"], question["key"])
        answer: dict[str, Any] = {"number": found.number, "id": found.id, "arm": found.arm}
        said.append(answer | {"messages": found.messages(**question["values"])})
    return said


def source_without_a_file(registry: Path) -> tuple[str, int | None]:
    """(where a loader takes its answer from, the version's number)."""
    found = Loader(registry).get("support-triage", "prod")
    return found.source, found.number


def versions(folder: Path) -> dict[str, Any]:
    """Of every saved version: number, id, note, author, time, content and a request."""
    editor = Editor(folder / REGISTRY)
    return {
        name: [_version(name, each) for each in editor.versions(name)] for name in editor.names()
    }


def _version(name: str, saved: Any) -> list[Any]:
    content = saved.version
    request = content.request(**VALUES[name][0])
    return [
        saved.number,
        saved.id,
        saved.note,
        saved.author,
        saved.created,
        content.document(),
        request,
    ]


def chains(folder: Path) -> dict[str, Any]:
    """Every deployment of every environment, oldest first."""
    editor = Editor(folder / REGISTRY)
    pairs = [(name, env) for name in editor.names() for env in sorted(editor.environments(name))]
    return {
        f"{name} {env}": [_link(each) for each in editor.history(name, env)] for name, env in pairs
    }


def _link(one: Any) -> list[Any]:
    canary = [one.canary.number, one.canary.id, one.canary.percent] if one.canary else None
    who = [one.digest, one.kind, one.number, one.id, one.at, one.author, one.reason]
    return [*who, one.evidence, one.forced, list(one.unmet), one.override, one.undoes, canary]


def policies(folder: Path) -> dict[str, Any]:
    """The policy of each prompt, and of the registry as "", by the field names of 0.1."""
    editor = Editor(folder / REGISTRY)
    found = {name or "": editor.policy(name).document() for name in (None, *editor.names())}
    return {name: dict(by_former_names(policy)) for name, policy in found.items()}


def verified(folder: Path) -> dict[str, Any]:
    """`promptops verify` of every environment: exit code; per figure name, value and sameness."""
    editor = Editor(folder / REGISTRY)
    found = {}
    for name in editor.names():
        for env in sorted(editor.environments(name)):
            words = ["verify", name, "--env", env, "--registry", folder / REGISTRY, "--json"]
            done = command(*words)
            rows = json.loads(done.stdout)["figures"]
            figures = [[row["figure"], row["promoted"], row["says"] == "same"] for row in rows]
            found[f"{name} {env}"] = {"exit": done.exit_code, "figures": figures}
    return found


def sound(folder: Path) -> bool:
    """`promptops registry check` over everything that ever served."""
    done = command("registry", "check", "--all", "--registry", folder / REGISTRY)
    return bool(done.exit_code == 0)


def save(folder: Path, name: str, text: str) -> int:
    return Editor(folder / REGISTRY).save(name, PromptVersion(text, model="golden-model"))


def unmet_consumers(folder: Path, name: str, number: int, env: str) -> str:
    """What a promotion that breaks an application's statement is refused with."""
    try:
        Editor(folder / REGISTRY).promote(name, number, env, author="ann")
    except Refused as refused:
        return str(refused)
    return ""


def finish_canary(folder: Path, name: str, env: str) -> int | None:
    """The number of the version that serves everyone then."""
    return Editor(folder / REGISTRY).finish(name, env, author="ann").number


# -- the store


def tables(store: Store, listed: Mapping[str, Any]) -> dict[str, Any]:
    """Of each table how many rows, and of each column a digest of its values in the order of keys.

    listed: table -> (columns, key) by the names of 0.1.
    """
    return {table: _digests(store, table, *names) for table, names in listed.items()}


def _digests(
    store: Store, table: str, columns: Sequence[str], key: Sequence[str]
) -> dict[str, Any]:
    today = [COLUMNS.get(f"{table}.{name}", name) for name in columns]
    order = ", ".join(f'"{COLUMNS.get(f"{table}.{name}", name)}"' for name in key)
    listed = ", ".join(f'"{name}"' for name in today)
    rows = store.rows(f"select {listed} from {table} order by {order}")
    found = {}
    for place, name in enumerate(columns):
        text = json.dumps([row[place] for row in rows], default=str)
        found[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {"rows": len(rows), "columns": found}


def merged_rows(folder: Path) -> dict[str, int]:
    """table -> rows that the DuckDB file has before anything is merged into it."""
    with duckdb.connect(str(folder / STORE / "store.duckdb"), read_only=True) as con:
        return dict(con.execute("select table_name, rows from internal.counts").fetchall())


def change_a_cell(folder: Path) -> None:
    """One more space in one value of `plans`, behind the store's back."""
    column = COLUMNS.get("plans.document", "document")
    with duckdb.connect(str(folder / STORE / "store.duckdb")) as con:
        con.execute(f"update plans set {column} = {column} || ' ' where id = 'q1-every-column'")


def full_rows(store: Store, table: str, columns: Sequence[str]) -> int:
    """How many rows of a table have a value in each of these columns."""
    today = [COLUMNS.get(f"{table}.{name}", name) for name in columns]
    where = " and ".join(f'"{name}" is not null' for name in today)
    return int(store.rows(f"select count(*) from {table} where {where}")[0][0])


def runs_named(store: Store, *ids: str) -> list[tuple[str, str]]:
    """(id, example) of these runs."""
    wanted = "select id, example_id from runs where id in (select unnest(?)) order by id"
    return store.rows(wanted, [list(ids)])


def examples_asked(store: Store) -> set[str]:
    """Every example that some run is of."""
    return {example for (example,) in store.rows("select distinct example_id from runs")}


def run_count(store: Store) -> int:
    return int(store.rows("select count(*) from runs")[0][0])


def columns_of_today() -> dict[str, Any]:
    """table -> (columns, key)."""
    return {name: [list(table.names), list(table.key)] for name, table in TABLES.items()}


# -- studies


def figures(lab: Lab, name: str, candidate: str, baseline: str) -> dict[str, Any]:
    """The numbers of a recorded study's comparison, and the policy's decision on them."""
    study = lab.study(name)
    compared = study.compare(candidate=candidate, baseline=baseline)
    first = compared.primary
    return {
        "study": study.id,
        "n": first.n,
        "repeats": first.repeats,
        "clusters": first.clusters,
        "candidate": first.candidate,
        "baseline": first.baseline,
        "estimate": first.gain,
        "interval": [first.low, first.high],
        "won": first.wins,
        "lost": first.losses,
        "p": first.p_better,
        "p_worse": first.p_worse,
        "e": first.e_value,
        "decision": compared.verdict.decision,
    }


def same_study_again(lab: Lab) -> str:
    """The id of the study that asks once more what "triage-1" asked."""
    old, prompt = lab.study("triage-1"), lab.prompt("support-triage")
    versions = [prompt[1], prompt[2], prompt[3]]
    scorers = [equals(), length(at_most=100)]
    return lab.evaluate(versions, old.recorded.dataset, scorers, repeats=2).id


def next_version(lab: Lab, text: str) -> tuple[int | None, float, float]:
    """A new version beside the recorded one, promoted on that: (number, estimate, p)."""
    prompt = lab.prompt("support-triage")
    new = prompt.save(text, model="golden-model")
    scorers = [equals(), length(at_most=100)]
    data = lab.study("triage-1").recorded.dataset
    study = lab.evaluate([prompt[3], new], data, scorers, repeats=2, name="triage-2")
    lab.promote(new, env="dev")
    lab.promote(new, env="staging", study=study)
    first = study.compare(candidate=new, baseline=prompt[3]).primary
    return lab.prompt("support-triage")[4].number, first.gain, first.p_better


def answers_with(lab: Lab, text: str) -> list[float]:
    """The share of the recorded answers of "triage-1" that have this text, of each version."""
    query = (
        "select avg((r.output like '%' || ? || '%')::int) from study_runs m "
        "join runs r on r.id = m.run_id join studies s on s.id = m.study_id "
        "where s.name = 'triage-1' group by m.arm order by m.arm"
    )
    return [share for (share,) in lab.store.rows(query, [text])]


def take_labels(lab: Lab, path: Path) -> int:
    """How many labels of a report's file were new to "triage-1"."""
    return lab.study("triage-1").review.import_labels(path)


def scored_again(lab: Lab, text: str) -> list[float]:
    """The mean of a scorer that "triage-1" never had, of each of its versions."""
    study = lab.study("triage-1").rescore([contains(text)])
    return [float(scores["value"].mean()) for _, scores in study.scores().groupby("arm")]


def scripted(asked: list[str]) -> ScriptedModel:
    """A model in place of the one that 0.1 asked: always right; `asked` collects example ids."""

    def answer(call: Call) -> Reply:
        example = str(call.example_id)
        asked.append(example)
        return Reply(f"answer {int(example[1:])}", finish_reason="stop", tokens_in=30, tokens_out=2)

    return ScriptedModel(answer, "golden")


def study_file(folder: Path) -> dict[str, Any]:
    """`promptops evaluate study.toml`: exit code, checks and lost examples of its JUnit file."""
    from xml.etree import ElementTree as Xml

    report = folder / "junit.xml"
    words = ["evaluate", folder / "study.toml", "--root", folder, "--junit", report]
    done = command(*words)
    suite = Xml.parse(report).getroot()[0]
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "skipped")}
    return {"exit": done.exit_code, **counts}
