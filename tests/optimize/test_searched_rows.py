"""What a search chose is judged on rows that the search did not see: the gate refuses it on others,
and an earlier study of them does not bring them back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from promptops.analysis.recompute import recompute
from promptops.dataset import Dataset
from promptops.dataset.example import Example
from promptops.errors import Refused, StoreError
from promptops.evidence import Evidence
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.optimize import Instructions
from promptops.run import utc
from promptops.scorers import equals
from promptops.store import Store

MakeLab = Callable[..., Lab]
N = 24


def lucky(request: dict[str, Any]) -> str:
    """Right on the rows of val alone, if the prompt is the lucky one."""
    text = str(request["messages"][-1]["content"])
    found = re.search(r"(train|val|test)(\d+)", text)
    assert found is not None
    split, number = found.groups()
    right = (split == "val" and "lucky" in text) or int(number) % 3 == 0
    return f"c{int(number) % 4}" if right else "none"


def rows(splits: Iterable[str], **more: object) -> Dataset:
    return Dataset.of(
        Example(
            inputs={"q": f"{split}{i}", **more},
            expected=f"c{i % 4}",
            id=f"{split}{i}",
            split=split,
        )
        for split in splits
        for i in range(N)
    )


DATA = rows(("train", "val", "test"))


@pytest.fixture
def searched(make_lab: MakeLab) -> tuple[Lab, Any, Any, Any]:
    """(lab, search, seed, the version that it chose); the seed serves."""
    lab = make_lab(models={"m": ScriptedModel(lucky), "m2": ScriptedModel(lucky)})
    seed = lab.prompt("w").save("Classify {{q}}", model="m")
    lab.promote(seed, env="prod", force=True, reason="first")
    method = Instructions(["The lucky one: {{q}}", "Another: {{q}}"])
    search = lab.optimize(seed, DATA, [equals()], method=method, budget_calls=400).wait()
    winner = search.save(note="chosen")
    assert "lucky" in str(winner.version.template)
    return lab, search, seed, winner


@pytest.mark.parametrize(
    "data",
    [
        DATA.val,
        DATA,
        rows(["val"], more="a column that the prompt does not read"),
    ],
    ids=["val", "all", "a further column"],
)
def test_rows_that_the_search_saw_promote_nothing(
    searched: tuple[Lab, Any, Any, Any], data: Dataset
) -> None:
    lab, search, seed, winner = searched
    study = lab.evaluate([seed, winner], data, [equals()])
    assert study.compare().verdict.decision != "promote"
    with pytest.raises(Refused, match=f"The search {search.id[:9]} made or chose v2 on"):
        lab.promote(winner, env="prod", study=study)


def test_nor_do_they_as_a_first_deployment(searched: tuple[Lab, Any, Any, Any]) -> None:
    lab, _, seed, winner = searched
    study = lab.evaluate([seed, winner], DATA.val, [equals()])
    with pytest.raises(Refused, match="made or chose"):
        lab.promote(winner, env="staging", study=study)


def test_they_do_not_come_back_into_its_confirmation(searched: tuple[Lab, Any, Any, Any]) -> None:
    """Answers of earlier studies are pooled: those to val would have carried the test split."""
    lab, search, seed, winner = searched
    lab.evaluate([seed, winner], DATA, [equals()])
    for study in (search.confirm(), lab.evaluate([seed, winner], DATA.test, [equals()])):
        comparison = study.compare()
        assert comparison.primary.n == N
        assert comparison.primary.gain == 0
        assert "made or chose" not in str(comparison.verdict.reasons)


def test_what_the_search_did_not_make_may_be_judged_there(
    searched: tuple[Lab, Any, Any, Any],
) -> None:
    lab, _, seed, _ = searched
    own = lab.prompt("w").save("My own lucky one: {{q}}", model="m")
    study = lab.evaluate([seed, own], DATA.val, [equals()])
    lab.promote(own, env="prod", study=study)


def other_model(winner: Any) -> Any:
    return winner.but(model="m2")


def other_words(winner: Any) -> Any:
    return winner.but(temperature=0.2).but(messages="A lucky text of my own: {{q}}")


@pytest.mark.parametrize(
    "edit", [other_model, other_words, "The lucky one : {{q}}", "the Lucky one:\n{{q}}"]
)
def test_nor_does_an_edit_of_the_winner(searched: tuple[Lab, Any, Any, Any], edit: Any) -> None:
    """Setting its temperature had made another version of it, which was promoted on val."""
    lab, search, seed, winner = searched
    edited = lab.prompt("w").save(edit, model="m") if isinstance(edit, str) else edit(winner)
    study = lab.evaluate([seed, edited], DATA.val, [equals()])
    told = f"The search {search.id[:9]} made or chose what {edited.label} is an edit of on 24"
    with pytest.raises(Refused, match=told):
        lab.promote(edited, env="prod", study=study)
    lab.evaluate([seed, edited], DATA, [equals()])
    comparison = lab.evaluate([seed, edited], DATA.test, [equals()]).compare()
    assert (comparison.primary.n, comparison.primary.gain) == (N, 0)


@pytest.mark.parametrize("columns", ["text", "q, lang"])
def test_nor_does_one_that_reads_another_column(
    searched: tuple[Lab, Any, Any, Any], columns: str
) -> None:
    """The search was never asked like this: its rows are known by what they hold."""
    lab, search, _, winner = searched
    read = " ".join(f"{{{{{name}}}}}" for name in columns.split(", "))
    seed = lab.prompt("w").save(f"Classify {read}", model="m")
    lab.promote(seed, env="prod", force=True, reason="the column has another name")
    edited = winner.but(messages=f"The lucky one: {read}")

    def of(split: str) -> Dataset:
        first, *more = columns.split(", ")
        return Dataset.of(
            Example(
                inputs={first: one.inputs["q"], **dict.fromkeys(more, "en")},
                expected=one.expected,
                id=one.id,
                split=split,
            )
            for one in DATA.split(split)
        )

    study = lab.evaluate([seed, edited], of("test"), [equals()])
    assert "made or chose" not in str(study.compare().verdict.reasons)
    told = f"The search {search.id[:9]} made or chose what {edited.label} is an edit of on 24"
    study = lab.evaluate([seed, edited], of("val"), [equals()])
    with pytest.raises(Refused, match=told):
        lab.promote(edited, env="prod", study=study)


@pytest.mark.parametrize("edit", [other_model, "The lucky one, then: {{q}}"])
def test_an_edit_of_what_serves_may_be_judged_there(
    searched: tuple[Lab, Any, Any, Any], edit: Any
) -> None:
    """The search chose the version that serves, so that the edit's lead over it is its own."""
    lab, _, _, winner = searched
    lab.promote(winner, env="prod", force=True, reason="confirmed elsewhere")
    edited = lab.prompt("w").save(edit, model="m") if isinstance(edit, str) else edit(winner)
    study = lab.evaluate([winner, edited], DATA.val, [equals()])
    assert "made or chose" not in str(study.compare().verdict.reasons)


def test_so_may_an_edit_of_the_seed(searched: tuple[Lab, Any, Any, Any]) -> None:
    lab, _, seed, _ = searched
    own = seed.but(messages="Classify, lucky: {{q}}")
    lab.promote(own, env="prod", study=lab.evaluate([seed, own], DATA.val, [equals()]))


def test_a_leaderboard_says_it(searched: tuple[Lab, Any, Any, Any]) -> None:
    """It had ranked the winner first and as shown to be better, without a word."""
    lab, search, seed, winner = searched
    told = f"The search {search.id[:9]} made or chose v2 on 24 of these 24 examples"
    for data, said in ((DATA.val, 1), (DATA.test, 0)):
        notes = lab.evaluate([seed, winner], data, [equals()]).leaderboard().notes
        assert sum(note.startswith(told) for note in notes) == said


def test_the_export_of_a_study_says_what_the_search_saw(
    searched: tuple[Lab, Any, Any, Any], make_lab: MakeLab, tmp_path: Path
) -> None:
    """Elsewhere the same study had promoted: only the store of the search knew of it."""
    lab, search, seed, winner = searched
    edited = winner.but(model="m2")
    study = lab.evaluate([seed, winner, edited], DATA.val, [equals()], name="val")
    study.wait()
    lab.store.export(tmp_path / "val.export", study=study)
    other = make_lab("other", models={"m": ScriptedModel(lucky), "m2": ScriptedModel(lucky)})
    other.store.import_(tmp_path / "val.export")
    assert other.store.verify() == []
    for version in (winner, edited):
        verdict = other.study("val").compare(candidate=version.label, baseline="v1").verdict
        assert f"The search {search.id[:9]} made or chose" in verdict.reasons[0]
    begun = [other.prompt("w").save("Classify {{q}}", model="m"), DATA, [equals()]]
    other.optimize(*begun, method="few_shot", budget_calls=60).wait()  # of the same splits
    kept = other.sql("select dataset_fingerprint, count(*) as n from examples group by 1")
    assert set(kept["n"]) == {N}


GOLDEN = Dataset.of(
    Example(inputs={"q": f" val{i} "}, expected=[f"c{i % 4}", "other"], id=f"r{i}")
    for i in range(N)
)


@pytest.mark.parametrize(
    "data", [rows(["val"], more="a further column"), GOLDEN], ids=["a further column", "corrected"]
)
def test_nor_is_it_lost_where_the_rows_are_asked_alike(
    searched: tuple[Lab, Any, Any, Any], make_lab: MakeLab, tmp_path: Path, data: Dataset
) -> None:
    """Only rows that were equal to the last column had come with the study, which had promoted
    elsewhere; candidates of other searches, with the train rows in their prompts, had come too.
    """
    lab, search, seed, winner = searched
    lab.optimize(seed, DATA, [equals()], method="few_shot", budget_calls=200).wait()
    study = lab.evaluate([seed, winner], data, [equals()], name="alike")
    study.wait()
    lab.store.export(tmp_path / "alike.export", study=study)
    assert not re.search(rb"train\d", (tmp_path / "alike.export").read_bytes())
    other = make_lab("other", models={"m": ScriptedModel(lucky)})
    other.store.import_(tmp_path / "alike.export")
    verdict = other.study("alike").compare(candidate="v2", baseline="v1").verdict
    assert f"The search {search.id[:9]} made or chose" in verdict.reasons[0]
    assert list(other.sql("select distinct feedback from candidates")["feedback"]) == [None]


DESIGNS = [
    "{}",
    "[]",
    "null",
    None,
    '{"splits": null}',
    '{"splits": [1]}',
    '{"splits": {"val": 5}}',
]


@pytest.mark.parametrize("design", DESIGNS)
def test_an_odd_search_of_a_file_spoils_no_comparison(
    make_lab: MakeLab, tmp_path: Path, design: str | None
) -> None:
    """One such row had broken every comparison of the store for good."""
    row = {"id": "o1-odd", "prompt": "w", "seed_version": "x", "design": design}
    source = Store(tmp_path / "source")
    source.append("optimizations", [{**row, "created_at": utc()}])
    source.export(tmp_path / "odd.export")
    lab = make_lab(models={"m": ScriptedModel(lucky)})
    with pytest.raises(StoreError, match="design names no splits"):
        lab.store.import_(tmp_path / "odd.export")
    lab.store.append("optimizations", [{**row, "created_at": utc()}])  # as releases before took it
    versions = [lab.prompt("w").save(f"{word} {{{{q}}}}", model="m") for word in ("A", "B")]
    assert lab.evaluate(versions, DATA.val, [equals()]).compare().verdict.decision != "promote"


@pytest.mark.parametrize("document", ["{}", "[]", "null", '{"messages": 5}', None])
def test_nor_does_an_odd_version(
    make_lab: MakeLab, tmp_path: Path, searched: tuple[Lab, Any, Any, Any], document: str | None
) -> None:
    source = Store(tmp_path / "source")
    row = {"id": "pv1-odd", "prompt": "w", "document": document, "parents": '{"a": 1}'}
    source.append("versions", [{**row, "created_at": utc()}])
    source.export(tmp_path / "odd.export")
    lab, search, seed, winner = searched
    with pytest.raises(StoreError, match="not the content of a version"):
        lab.store.import_(tmp_path / "odd.export")
    lab.store.append("versions", [{**row, "created_at": utc()}])
    made = {"optimization_id": search.id, "version_id": "pv1-odd", "number": 9}
    lab.store.append("candidates", [{**made, "parents": "[]"}])
    study = lab.evaluate([seed, winner], DATA.val, [equals()])
    assert "made or chose v2" in study.compare().verdict.reasons[0]


def test_a_forced_promotion_says_it_and_verifies(searched: tuple[Lab, Any, Any, Any]) -> None:
    lab, _, seed, winner = searched
    study = lab.evaluate([seed, winner], DATA.val, [equals()])
    forced = lab.promote(winner, env="prod", study=study, force=True, reason="an emergency")
    figures = recompute(Evidence.read(lab.project.location.registry, forced.evidence))
    assert all(figure.same for figure in figures)
    assert {each.name: each.recomputed for each in figures}["verdict.decision"] == "inconclusive"
