"""Copies of an example are one piece of evidence, whatever door they come in by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.dataset import Example
from promptops.errors import Refused
from promptops.lab import Lab, compare
from promptops.models.scripted import ScriptedModel
from promptops.policy import Policy
from promptops.scorers import equals, scorer
from promptops.study.copies import copies_of, golden_reads, reads_of
from promptops.study.near_copies import folded
from promptops.version import PromptVersion

MakeLab = Callable[..., Lab]


def answer(call: Any) -> str:
    """B is right on eight of ten, A on five."""
    text = call.request["messages"][-1]["content"]
    return "yes" if int(text.split()[-1]) % 10 < (8 if text.startswith("B") else 5) else "no"


def rows(n: int = 12, **more: Any) -> list[dict[str, Any]]:
    return [{"q": str(i), "expected": "yes", **more} for i in range(n)]


def examples(*texts: str, expected: Any = "yes", **more: Any) -> list[Example]:
    return [Example(f"e{i}", {"q": text}, expected, **more) for i, text in enumerate(texts)]


@pytest.fixture
def pair(make_lab: MakeLab) -> tuple[Lab, Any, Any]:
    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("w")
    return lab, prompt.save("A {{q}}", model="m"), prompt.save("B {{q}}", model="m")


def test_what_is_refused_once_is_refused_when_it_is_copied(pair: tuple[Lab, Any, Any]) -> None:
    """Twelve rows, three times each, give the same p, the same n and the same refusal."""
    lab, v1, v2 = pair
    lab.promote(v1, env="prod", study=lab.evaluate([v1], rows(), [equals()], name="base"))
    once = lab.evaluate([v1, v2], rows(), [equals()], name="once")
    thrice = lab.evaluate([v1, v2], rows() * 3, [equals()], name="thrice")
    found = [study.compare(candidate=v2, baseline=v1).primary for study in (once, thrice)]
    assert found[0].n == found[1].n == 12
    assert found[0].p_better == found[1].p_better == 0.125
    assert any(
        "12 distinct examples" in note for note in thrice.compare(candidate=v2, baseline=v1).notes
    )
    with pytest.raises(Refused):
        lab.promote(v2, env="prod", study=thrice)


def test_a_column_that_no_version_reads_makes_no_new_example(pair: tuple[Lab, Any, Any]) -> None:
    """A row number beside each copy changes no request, so it is no new evidence."""
    lab, v1, v2 = pair
    many = [{**row, "number": k} for k in range(3) for row in rows()]
    assert (
        lab.evaluate([v1, v2], many, [equals()]).compare(candidate=v2, baseline=v1).primary.n == 12
    )


def test_a_scorer_that_sees_the_whole_row_still_meets_one_cluster(
    pair: tuple[Lab, Any, Any],
) -> None:
    """What a function reads of a row is not known, so its copies stay apart, in one cluster."""
    lab, v1, v2 = pair

    @scorer
    def right(output: str, example: Any) -> bool:
        return bool(output == example.expected)

    many = [{**row, "number": k} for k in range(3) for row in rows()]
    found = lab.evaluate([v1, v2], many, [right]).compare(candidate=v2, baseline=v1).primary
    assert found.clusters == 12
    assert found.p_better == 0.125


def test_a_doubled_table_says_what_the_table_says() -> None:
    """Equal inputs with equal golden answers are one row of a table."""
    table = [
        {"q": f"q{i}", "gold": "yes", "a": "yes" if i < 3 else "no", "b": "yes" if i < 8 else "no"}
        for i in range(20)
    ]
    once, twice = (
        compare(data, baseline="a", candidate="b", expected="gold") for data in (table, table * 2)
    )
    assert once.primary.p_better == twice.primary.p_better == 1 / 32
    assert twice.primary.n == 20
    assert "20 examples" in twice.statement()
    weighted = compare(
        table * 2, baseline="a", candidate="b", expected="gold", weights="rows"
    ).primary
    assert (weighted.n, weighted.clusters, weighted.p_better) == (40, 20, 1 / 32)


def test_near_copies_share_a_cluster() -> None:
    """Case, white space and compatibility forms make no independent example."""
    found = copies_of(
        examples("Straße 1", "STRASSE  1", "ｓtraße 1", "Weg 2"),
        [reads_of(PromptVersion("{{q}}"))],
        golden_reads(()),
    )
    assert not found.copies
    assert found.clusters is not None
    assert len({found.clusters[f"e{i}"] for i in range(3)}) == 1
    assert "e3" not in found.clusters


def test_an_image_in_a_row_is_compared_as_it_is() -> None:
    """Two contents whose base64 differs only in case are two images, and no near-copies; the same
    text outside of an address is one text typed twice.
    """

    def clusters(*texts: str) -> object:
        reads = [reads_of(PromptVersion("{{q}}"))]
        return copies_of(examples(*texts), reads, golden_reads(())).clusters

    assert clusters("data:image/png;base64,iVBORw", "data:image/png;base64,ivborw") is None
    assert clusters("Data:image/png;base64,iVBORw", "Data:image/png;base64,ivborw") is None
    assert clusters("base64,iVBORw", "base64,ivborw") is not None
    assert clusters("data: a, b", "data: A, B") is not None


@pytest.mark.parametrize(
    "typed",
    [
        "row 1!",
        "Row 1 ...",
        "- row 1",
        "* row\t1",
        "\u201crow 1\u201d",
        "'row' 1",
        "row 01",
        "row, 1",
        "r\u00f6w 1",
        "r\u043ew 1",
        "r\u03bfw 1",
        "\uff52\uff4f\uff57 1",
        "row\\n1",
    ],
)
def test_another_typing_of_a_row_is_no_other_row(typed: str) -> None:
    """Punctuation, quotation marks, bullets, zeros, accents and look-alikes."""
    found = copies_of(
        examples("row 1", typed, "row 11"),
        [reads_of(PromptVersion("{{q}}"))],
        golden_reads(()),
    )
    assert found.clusters is not None
    assert found.clusters["e0"] == found.clusters["e1"]
    assert "e2" not in found.clusters


@pytest.mark.parametrize(
    "typed",
    ["\trow 1", "row 1\r\n", "row 1..", "row 1?", "**row** 1", "*row 1*", "__row__ 1!", "~~row~~ 1",
     "row&#32;1", "&quot;row 1&quot;", "row\ufe0f 1", "`row 1`"],
)  # fmt: skip
@pytest.mark.parametrize(
    "version", [PromptVersion("{{q}}"), None], ids=["a variable", "all inputs"]
)
def test_ends_emphasis_and_entities_make_no_other_row(
    typed: str, version: PromptVersion | None
) -> None:
    """Each text is read by itself, also where an arm reads all inputs (a table, a target)."""
    found = copies_of(examples("row 1", typed, "row 11"), [reads_of(version)], golden_reads(()))
    assert found.clusters is not None
    assert found.clusters["e0"] == found.clusters["e1"]
    assert "e2" not in found.clusters


def test_long_runs_of_marks_are_read_in_no_time() -> None:
    """A row of marks is read once, not from each of its places."""
    assert folded("*" * 300_000 + " a " + "_*" * 100_000) != folded("b")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2*3", "23"),
        ("2 * 3", "2 3"),
        ("a_b", "ab"),
        ("3 - 4", "3 + 4"),
        ("3 - 4", "3 4"),
        ("3.05", "3.5"),
        ("not ( True and False )", "( not True ) and False"),
        ("f(1, 2)", "f(12)"),
        ("1.000", "1,000"),
        ("?", "!"),
        ("\u0441\u043e\u0440", "cop"),  # a word of Cyrillic letters alone
        ("Who was first?", "Who came first?"),
    ],
)
def test_what_changes_the_question_makes_another_row(one: str, other: str) -> None:
    """Signs, brackets and decimal points count, and so does another wording."""
    found = copies_of(examples(one, other), [reads_of(PromptVersion("{{q}}"))], golden_reads(()))
    assert found.clusters is None


@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u00ad", "\u200d", "\u202a"])
def test_characters_that_nobody_sees_make_no_other_row(unseen: str) -> None:
    """Zero-width spaces, soft hyphens and marks of direction: one cluster with the plain text."""
    found = copies_of(
        examples("Weg 1", f"We{unseen}g 1", f"{unseen}Weg  1", "Weg 2"),
        [reads_of(PromptVersion("{{q}}"))],
        golden_reads(()),
    )
    assert found.clusters is not None
    assert len({found.clusters[f"e{i}"] for i in range(3)}) == 1
    assert "e3" not in found.clusters


def test_copies_join_the_clusters_that_are_declared() -> None:
    """A near-copy in another document ties the two documents together."""
    parts = [
        Example("a", {"q": "one"}, "yes", cluster="d1"),
        Example("b", {"q": "two"}, "yes", cluster="d1"),
        Example("c", {"q": "Two"}, "yes", cluster="d2"),
        Example("d", {"q": "three"}, "yes", cluster="d2"),
        Example("e", {"q": "four"}, "yes", cluster="d3"),
    ]
    found = copies_of(parts, [reads_of(PromptVersion("{{q}}"))], golden_reads(()))
    assert found.clusters is not None
    assert len({found.clusters[id_] for id_ in "abcd"}) == 1
    assert found.clusters.get("e") not in {found.clusters["a"]}


def test_contradictory_golden_answers_are_a_note(pair: tuple[Lab, Any, Any]) -> None:
    """The same request with another golden answer is another example, and is reported."""
    lab, v1, v2 = pair
    both = [*rows(), {"q": "3", "expected": "no"}]
    comparison = lab.evaluate([v1, v2], both, [equals()]).compare(candidate=v2, baseline=v1)
    assert comparison.primary.n == 13
    assert any("1 input has contradictory golden answers" in note for note in comparison.notes)


def test_copies_answered_apart_are_pooled_as_repeats(make_lab: MakeLab) -> None:
    """Imported answers of two copies differ: their mean is the example's outcome."""
    lab = make_lab()
    data = [{"id": f"{k}{i}", "q": f"q{i}", "expected": "yes"} for k in "ab" for i in range(4)]
    outputs = [
        {"example_id": row["id"], "version": v, "output": "yes" if v == "v2" or n < 4 else "no"}
        for v in ("v1", "v2")
        for n, row in enumerate(data)
    ]
    found = (
        lab.import_runs(outputs, data, [equals()]).compare(candidate="v2", baseline="v1").primary
    )
    assert (found.n, found.repeats, found.baseline, found.candidate) == (4, 2, 0.5, 1.0)


def test_versions_that_ask_the_same_of_every_row_are_named_before_paying(
    make_lab: MakeLab,
) -> None:
    """A forgotten variable: one request, one example, and a warning with the column."""
    lab = make_lab(models={"m": ScriptedModel(lambda call: "yes")})
    version = lab.prompt("w").save("Answer briefly.", model="m")
    with pytest.warns(UserWarning, match=r"All 12 requests of v1 are equal.*\{\{q\}\}"):
        lab.evaluate([version], rows(), [equals()])


def test_a_must_pass_example_that_is_a_copy_is_named_with_its_first(
    pair: tuple[Lab, Any, Any],
) -> None:
    """Its outcomes are there, by the id of the example that it repeats."""
    lab, v1, v2 = pair
    data = [{"id": f"e{i}", **row} for i, row in enumerate(rows())]
    data.append({"id": "must", "q": "7", "expected": "yes"})
    policy = Policy(must_pass=("must",), min_score=0.1)
    study = lab.evaluate([v1, v2], data, [equals()], name="one")
    verdict = study.compare(candidate=v2, baseline=v1).decide(policy)
    [check] = [check for check in verdict.checks if check.name == "must_pass"]
    text = "The must-pass example 'must' is a copy of 'e7', and copies are one example."
    assert (check.status, check.text, check.next) == ("unproven", text, "Name 'e7' in must_pass.")
    lab.prompt("w").policy = policy
    with pytest.raises(
        Refused, match="evaluate on 'must' too, or name the example that it is a copy of"
    ):
        lab.promote(v2, env="prod", study=study)
    named = study.compare(candidate=v2, baseline=v1).decide(Policy(must_pass=("e7",)))
    assert next(c for c in named.checks if c.name == "must_pass").status == "pass"
