"""Ids, clusters and tags that look like keys (`pk_000000000017`) are recorded without the key, and
still tell the examples apart: as one text, a study of sixty examples was one of a single example.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.lab import Dataset, Lab
from promptops.redact import Redactor
from promptops.scorers import equals

KEY = "sk-proj-Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3"
FORMS = ("e{}", "pk_{:012d}", "co_01h455vb4pex5vsknk08{:05d}", f"{{}} {KEY}")
N = 24


def rows(form: str) -> list[dict[str, str]]:
    return [
        {
            "id": form.format(i),
            "q": f"question {i}",
            "expected": "yes" if i % 2 else "no",
            "cluster": form.format(i // 2),
            "tags": form.format(i % 3),
        }
        for i in range(N)
    ]


def always(q: str) -> str:
    return "yes"


def right(q: str) -> str:
    return "yes" if int(q.rpartition(" ")[2]) % 2 else "no"


def figures(lab: Lab, form: str) -> list[object]:
    """What a study on such rows says, in this kernel and read from the store alone."""
    data = Dataset.read(rows(form), tags="tags", cluster="cluster")
    prompt = lab.prompt("p")
    versions = [prompt.save("A {{q}}", model="always"), prompt.save("B {{q}}", model="right")]
    study = lab.evaluate(versions, data, [equals()], repeats=2)
    found: list[object] = [len(study.runs()), str(study.compare()), repr(study.pass_at(2))]
    counted = "SELECT count(DISTINCT example_id) AS n FROM {} WHERE example_id IS NOT NULL"
    for table in ("runs", "study_runs", "examples"):
        found.append(int(lab.sql(counted.format(table))["n"][0]))
    lab.promote(versions[1], env="prod", study=study, force=True, reason="first")
    watch = lab.watch("p", env="prod", probe=data, scorers=[equals()])
    return [*found, len(set(watch.file.examples)), watch.status]


@pytest.fixture
def of_plain_ids(tmp_path: Path) -> list[object]:
    (tmp_path / "plain").mkdir()
    lab = Lab(tmp_path / "plain", models={"always": always, "right": right})
    found = figures(lab, FORMS[0])
    lab.store.close()
    return found


@pytest.mark.parametrize("form", FORMS[1:])
def test_a_study_says_the_same_whatever_its_ids_look_like(
    make_lab: Callable[..., Lab], of_plain_ids: list[object], form: str
) -> None:
    lab = make_lab(models={"always": always, "right": right})
    assert figures(lab, form) == of_plain_ids
    assert KEY.encode() not in b"".join(
        path.read_bytes() for path in lab.project.root.rglob("*") if path.is_file()
    )


def test_a_purge_by_such_an_id_takes_that_example_alone(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(models={"always": always})
    version = lab.prompt("p").save("A {{q}}", model="always")
    study = lab.evaluate([version], Dataset.read(rows(FORMS[1])), [equals()])
    lab.store.purge([FORMS[1].format(3)])
    left = lab.sql("SELECT DISTINCT example_id FROM study_runs")["example_id"]
    assert len(left) == N - 1
    assert study.recorded.project.store.identifiers([FORMS[1].format(3)])[0] not in set(left)


def test_imported_answers_keep_their_examples(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    data = Dataset.read(rows(FORMS[1]))
    table = [
        {"example_id": row["id"], "version": "other", "output": row["expected"]}
        for row in rows(FORMS[1])
    ]
    study = lab.import_runs(table, data, [equals()])
    assert len(study.runs()) == N
    assert set(study.scores()["value"]) == {1.0}


def test_such_a_row_is_corrected_in_its_file(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(models={"always": always})
    path = lab.project.root / "d.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows(FORMS[1])))
    version = lab.prompt("p").save("A {{q}}", model="always")
    study = lab.evaluate([version], "d.jsonl", [equals()])
    study.review.correct(FORMS[1].format(2), "maybe")
    shown = study.recorded.dataset.examples[4].id
    study.review.correct(shown, "perhaps")
    now = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(n, row["expected"]) for n, row in enumerate(now) if len(row["expected"]) > 3] == [
        (2, "maybe"),
        (4, "perhaps"),
    ]


def test_an_identifier_is_not_changed_again() -> None:
    redactor = Redactor({})
    once = redactor.identifiers([form.format(7) for form in FORMS])
    assert once[0] == "e7"
    assert redactor.identifiers(once) == once
    assert all(redactor(one) == one for one in once)
