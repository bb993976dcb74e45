"""Splits and ids: no example ever moves, and the order of rows decides nothing."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptops.dataset import Dataset, Example
from promptops.dataset.split import key_of, split_of
from promptops.errors import DatasetError

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are noisy

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.strip)


@pytest.mark.parametrize(
    ("key", "split"),
    [
        ("a", "train"),
        ("b", "test"),
        ("c", "test"),
        ("h", "val"),
        ("ticket-1", "test"),
        ("ticket-5", "train"),
        ("ü", "test"),
        ("", "train"),
    ],
)
def test_golden_keys_pin_the_hash(key, split):
    """The split of a key is the same in every release: these are golden."""
    assert split_of(key) == split


def test_half_is_test_and_a_quarter_each_val_and_train():
    """20,000 keys fall as said, within 5 standard errors."""
    counts = Counter(split_of(f"k{index}") for index in range(20_000))
    assert abs(counts["test"] - 10_000) < 5 * 71
    assert abs(counts["val"] - 5_000) < 5 * 62
    assert abs(counts["train"] - 5_000) < 5 * 62


@steady
@given(
    st.lists(words, min_size=1, max_size=30, unique=True), st.lists(words, max_size=30, unique=True)
)
def test_growth_moves_nothing(first, more):
    """An example keeps its id and its split whatever rows are added before or after it."""
    small = Dataset.read([{"q": text} for text in first])
    large = Dataset.read(
        [{"q": text} for text in [*[text for text in more if text not in first], *first]]
    )
    before = {example.inputs["q"]: (example.id, example.split) for example in small}
    after = {example.inputs["q"]: (example.id, example.split) for example in large}
    assert before.items() <= after.items()


@steady
@given(
    st.lists(st.tuples(words, words), min_size=1, max_size=20), st.randoms(use_true_random=False)
)
def test_the_order_of_rows_decides_nothing(rows, shuffle):
    """Any order of the rows, equal ones and contradicting ones among them, gives the same
    fingerprint, ids and splits.
    """
    made = [{"q": question, "expected": answer} for question, answer in rows]
    one = Dataset.read(made)
    shuffle.shuffle(made)
    two = Dataset.read(made)
    assert one.fingerprint == two.fingerprint
    assert sorted((e.id, e.split, e.expected) for e in one) == sorted(
        (e.id, e.split, e.expected) for e in two
    )


def test_rows_that_ask_the_same_stay_together():
    """Twins are numbered and lie in one split, so that no answer is given away; it is reported."""
    data = Dataset.read([{"q": "same", "expected": str(index)} for index in range(5)])
    ids = sorted(example.id for example in data)
    assert ids == [ids[0], *(f"{ids[0]}-{number}" for number in (2, 3, 4, 5))]
    assert len({example.split for example in data}) == 1
    assert any(
        "ask the same as another and expect something else: 4" in sentence
        for sentence in data.notes
    )


def test_a_corrected_golden_keeps_id_and_split():
    """The id is made from what is asked, not from what is expected."""
    [one] = Dataset.read([{"q": "why", "expected": "a"}])
    [two] = Dataset.read([{"q": "why", "expected": "b"}])
    assert (one.id, one.split) == (two.id, two.split)
    assert one.fingerprint != two.fingerprint
    assert one.id.startswith("x-")
    assert len(one.id) == 14


def test_a_cluster_moves_as_one():
    """All rows of a cluster are in the split of the cluster's name."""
    data = Dataset.read(
        [{"id": str(index), "q": "x", "doc": f"d{index % 7}"} for index in range(70)], cluster="doc"
    )
    assert {example.split for example in data if example.cluster == "d3"} == {split_of("d3")}
    assert data.clusters is not None
    assert len(set(data.clusters.values())) == 7


def test_an_explicit_split_wins_and_a_blank_one_is_hashed():
    """train, val and test are taken from the column, by their usual other names too; a blank cell
    is hashed.
    """
    rows = [
        {"id": "a", "q": "1", "split": "train"},
        {"id": "b", "q": "2", "split": "Validation"},
        {"id": "c", "q": "3", "split": ""},
    ]
    assert [example.split for example in Dataset.read(rows)] == ["train", "val", split_of("c")]
    with pytest.raises(DatasetError, match=r"item 0.*'holdout'.*train, val, test"):
        Dataset.read([{"q": "1", "split": "holdout"}])


def test_a_torn_cluster_is_said():
    """A split column that puts one cluster on both sides is reported."""
    data = Dataset.read(
        [{"q": "1", "cluster": "d", "split": "train"}, {"q": "2", "cluster": "d", "split": "test"}]
    )
    assert any(
        "clusters in more than one split: 1 (first: 'd')" in sentence for sentence in data.notes
    )


def test_the_three_parts_are_the_whole():
    """train, val and test are disjoint, cover the dataset and keep its order."""
    data = Dataset.of([Example(str(index), {"q": str(index)}) for index in range(200)])
    parts = [data.train, data.val, data.test]
    assert sum(map(len, parts)) == 200
    assert {example.id for part in parts for example in part} == {example.id for example in data}
    assert [int(example.id) for example in data.test] == sorted(
        int(example.id) for example in data.test
    )
    assert {example.split for example in data.test} == {"test"}
    with pytest.raises(DatasetError, match="no split 'dev'; the splits are train, val, test"):
        data.split("dev")


def test_naming_a_cluster_later_splits_by_it():
    """A dataset read again with a cluster is split by it; a split that was given stays."""
    data = Dataset.read([{"id": str(index), "q": "x", "doc": "d"} for index in range(20)])
    assert {example.split for example in Dataset.read(data, cluster="doc")} == {split_of("d")}
    fixed = Dataset.read(
        [{"id": "1", "q": "x", "doc": "d", "split": "train" if split_of("1") != "train" else "val"}]
    )
    assert Dataset.read(fixed, cluster="doc")[0].split == fixed[0].split


@steady
@given(words, st.none() | words)
def test_the_key_is_the_cluster_or_the_id(name, cluster):
    """A cluster decides where there is one; else the id, without the number of a twin."""
    assert key_of(name, cluster) == (name if cluster is None else cluster)
    assert key_of("x-0123456789ab-12", None) == "x-0123456789ab"


def test_the_fingerprint_is_over_content():
    """Ids, inputs, expected answers and clusters count; splits and tags do not."""
    base = Example("a", {"q": "1"}, "yes", "test", None, ("t",))
    same = Example("a", {"q": "1"}, "yes", "train", None, ("u",))
    others = [
        Example("b", {"q": "1"}, "yes"),
        Example("a", {"q": "2"}, "yes"),
        Example("a", {"q": "1"}, "no"),
        Example("a", {"q": "1"}, "yes", None, "c"),
    ]
    prints = [Dataset.of([example]).fingerprint for example in (base, same, *others)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 5
    assert (
        Dataset.of([Example("a", {"q": "1"}, "yes")]).fingerprint
        == "d1-74a3a1302102365485be112f55f3f857"
    )


def test_a_sample_is_the_same_for_the_same_seed():
    """Seeded, without replacement, in the dataset's order, whatever the order of the rows."""
    rows = [{"id": f"t{index}", "q": str(index)} for index in range(100)]
    data = Dataset.read(rows)
    drawn = [example.id for example in data.sample(10, seed=7)]
    random.Random(1).shuffle(rows)
    assert sorted(drawn) == sorted(example.id for example in Dataset.read(rows).sample(10, seed=7))
    assert drawn == sorted(drawn, key=lambda name: int(name[1:]))
    assert drawn != [example.id for example in data.sample(10, seed=8)]
    with pytest.raises(DatasetError, match="101 examples were asked for, and 'list' has 100"):
        data.sample(101)
