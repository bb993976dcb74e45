"""The datasets of the tour are what their data card says: counts, labels, ids, languages and no
ticket twice.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset.split import split_of

DATA = Path(__file__).resolve().parents[1] / "data"
CATEGORIES = ("billing", "bug", "how_to", "account", "shipping", "feedback")
PRIORITIES = ("urgent", "high", "normal", "low")
USER_ID = re.compile(r"\bu-\d{5}\b")


def read(name: str) -> list[dict[str, Any]]:
    """Every line as an object; json.loads fails on a blank or broken one, decode on what is not
    UTF-8.
    """
    text = (DATA / name).read_bytes().decode("utf-8", errors="strict")
    assert text.endswith("\n")
    assert not text.startswith("\ufeff")
    return [json.loads(line) for line in text[:-1].split("\n")]


@pytest.fixture(scope="module")
def tickets() -> list[dict[str, Any]]:
    return read("support_tickets.jsonl")


@pytest.fixture(scope="module")
def card() -> str:
    return (DATA / "README.md").read_text(encoding="utf-8")


def tagged(rows: list[dict[str, Any]], prefix: str) -> Counter[str]:
    """How many rows carry each tag that begins with prefix, by what follows it."""
    return Counter(
        tag.removeprefix(prefix) for row in rows for tag in row["tags"] if tag.startswith(prefix)
    )


def test_enough_tickets_in_a_small_file(tickets: list[dict[str, Any]]) -> None:
    """At least 360 tickets, in less than 400 kB."""
    assert len(tickets) >= 360
    assert (DATA / "support_tickets.jsonl").stat().st_size < 400_000


def test_every_row_has_the_fields_of_the_card(tickets: list[dict[str, Any]]) -> None:
    """Exactly the documented fields; ids are unique and in order; labels are of the closed lists;
    the golden answer equals the columns.
    """
    assert [row["id"] for row in tickets] == [f"t-{n:03d}" for n in range(1, len(tickets) + 1)]
    for row in tickets:
        assert set(row) == {
            "id",
            "ticket",
            "expected",
            "user_id",
            "category",
            "priority",
            "tags",
        }, row["id"]
        assert row["expected"] == {key: row[key] for key in ("user_id", "category", "priority")}, (
            row["id"]
        )
        assert row["category"] in CATEGORIES, row["id"]
        assert row["priority"] in PRIORITIES, row["id"]
        assert row["ticket"].strip() == row["ticket"] != "", row["id"]


def test_tags_say_product_language_and_tone_of_every_ticket(tickets: list[dict[str, Any]]) -> None:
    """One language and one tone, at least one product, no tag twice, no unknown kind of tag;
    `mentions:acme` is true to the text.
    """
    for row in tickets:
        kinds = Counter(tag.partition(":")[0] for tag in row["tags"])
        assert (kinds["lang"], kinds["tone"]) == (1, 1), row["id"]
        assert kinds["product"] >= 1, row["id"]
        assert set(kinds) <= {"product", "lang", "tone", "edge", "mentions"}, row["id"]
        assert len(set(row["tags"])) == len(row["tags"]), row["id"]
        assert ("mentions:acme" in row["tags"]) == ("acme" in row["ticket"].lower()), row["id"]


def test_the_user_id_is_in_the_text_or_null(tickets: list[dict[str, Any]]) -> None:
    """The golden id is the one user id of the text, and null (tagged no_id) exactly where the text
    has none; about 85 % have one.
    """
    for row in tickets:
        found = set(USER_ID.findall(row["ticket"]))
        assert found == ({row["user_id"]} if row["user_id"] else set()), row["id"]
        assert ("edge:no_id" in row["tags"]) == (row["user_id"] is None), row["id"]
    assert 0.80 <= sum(row["user_id"] is not None for row in tickets) / len(tickets) <= 0.90


def test_few_customers_write_more_than_once(tickets: list[dict[str, Any]]) -> None:
    """Ids are a customer's own: a few write twice, nobody three times."""
    counts = Counter(row["user_id"] for row in tickets if row["user_id"])
    assert max(counts.values()) == 2
    assert 3 <= sum(count == 2 for count in counts.values()) <= 15


def test_no_ticket_is_another_with_words_swapped(tickets: list[dict[str, Any]]) -> None:
    """No two texts are alike beyond a rapidfuzz ratio of 80, ids and case left out."""
    process = pytest.importorskip("rapidfuzz.process")
    fuzz = pytest.importorskip("rapidfuzz.fuzz")
    texts = [USER_ID.sub("", row["ticket"]).lower() for row in tickets]
    alike = process.cdist(texts, texts, scorer=fuzz.ratio, score_cutoff=80)
    pairs = [
        (tickets[a]["id"], tickets[b]["id"]) for a, b in zip(*alike.nonzero(), strict=True) if a < b
    ]
    assert pairs == []


def test_categories_are_balanced(tickets: list[dict[str, Any]]) -> None:
    """The largest category has at most twice the tickets of the smallest, in the test split too."""
    for rows in (tickets, [row for row in tickets if split_of(row["id"]) == "test"]):
        counts = Counter(row["category"] for row in rows)
        assert set(counts) == set(CATEGORIES)
        assert max(counts.values()) <= 2 * min(counts.values())


def test_half_of_the_tickets_are_test(tickets: list[dict[str, Any]]) -> None:
    """45 to 55 % fall into test, and about a quarter each into val and train, by the product's own
    hash; each holds every priority.
    """
    counts = Counter(split_of(row["id"]) for row in tickets)
    assert 0.45 <= counts["test"] / len(tickets) <= 0.55
    assert all(0.20 <= counts[split] / len(tickets) <= 0.30 for split in ("train", "val"))
    for split in counts:
        assert {row["priority"] for row in tickets if split_of(row["id"]) == split} == set(
            PRIORITIES
        )


def test_other_languages_and_the_rival(tickets: list[dict[str, Any]]) -> None:
    """At least a tenth is not English, in eight languages or more; at least 30 tickets mention
    Acme.
    """
    languages = tagged(tickets, "lang:")
    assert len(tickets) - languages["en"] >= len(tickets) / 10
    assert len(languages) >= 9
    assert tagged(tickets, "mentions:")["acme"] >= 30


def test_edge_cases_are_what_they_claim(tickets: list[dict[str, Any]]) -> None:
    """Each edge that a text can prove is proved by it."""
    proofs = {
        "edge:injection": r"(?i)ignore all (previous )?instructions",
        "edge:html": r"<\w+[^>]*>",
        "edge:id_like": r"\b(u-)?\d{3,5}\b",
        "edge:template": r"\{\{\s*\w+\s*\}\}",
        "edge:one_word": r"^\S+$",
        "edge:caps": r"([A-Z]{2,}\W+){5}",
        "edge:code": r"[{]|^curl ",
        "edge:emoji": r"^[^\w.,;!?]+$",
        "edge:long": r"(?s)^(\S+\s+){198}",
    }
    for tag, proof in proofs.items():
        rows = [row for row in tickets if tag in row["tags"]]
        assert rows, tag
        for row in rows:
            assert re.search(proof, USER_ID.sub("", row["ticket"]), re.MULTILINE), (tag, row["id"])


def test_the_card_counts_what_the_file_holds(tickets: list[dict[str, Any]], card: str) -> None:
    """The composition table, the edge table and the sums of the data card equal the file."""
    cells = Counter((row["category"], row["priority"]) for row in tickets)
    for category in CATEGORIES:
        numbers = [cells[category, priority] for priority in PRIORITIES]
        assert (
            f"| `{category}` | " + " | ".join(map(str, [*numbers, sum(numbers)])) + " |" in card
        ), (category, numbers)
    edges = dict(re.findall(r"^\| `(\w+)` \| (\d+) \| [^|]+\|$", card, re.MULTILINE))
    assert {name: int(count) for name, count in edges.items()} == tagged(tickets, "edge:")
    splits = Counter(split_of(row["id"]) for row in tickets)
    assert f"| `support_tickets.jsonl` | {len(tickets)} |" in card
    assert f"{splits['test']} test, {splits['val']} val, {splits['train']} train" in card
    english = tagged(tickets, "lang:")["en"]
    assert f"{english} English, {len(tickets) - english} others" in card
    assert f"{sum(row['user_id'] is not None for row in tickets)} tickets name a user id" in card
    assert f"{tagged(tickets, 'mentions:')['acme']} tickets mention Acme" in card
    lengths = sorted(len(row["ticket"].split()) for row in tickets)
    assert f"{lengths[0]} to {lengths[-1]} words, median {lengths[len(lengths) // 2]}" in card


def test_onboarding_users(card: str) -> None:
    """24 users with text in every field, unique ids and goals, known plans and products, and no
    golden answer.
    """
    users = read("onboarding_users.jsonl")
    assert len(users) == 24
    assert f"| `onboarding_users.jsonl` | {len(users)} |" in card
    for user in users:
        assert list(user) == ["id", "name", "plan", "product", "goal", "language"]
        assert all(isinstance(value, str) and value.strip() for value in user.values()), user["id"]
        assert user["plan"] in {"free", "plus", "family", "team"}
        assert user["product"] in {"Ferrynote", "Tidebox", "Glimm", "Pipit", "Toastle", "Murmur"}
        assert re.fullmatch("[a-z]{2}", user["language"])
    assert len({user["id"] for user in users}) == len({user["goal"] for user in users}) == 24
