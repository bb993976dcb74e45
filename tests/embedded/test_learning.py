"""The embedded model learns from its prompt and from nothing else: better prompts do better on
unseen tickets, worse ones worse.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset.split import split_of
from promptops.embedded import EmbeddedModel
from promptops.embedded.brief import AllowedValue, Field
from promptops.embedded.learner import Learner
from promptops.embedded.model import speak
from promptops.models.protocol import Call

TICKETS: dict[str, list[str]] = {
    "billing": [
        (
            "I was charged twice for the March invoice. Please refund one of the payments. My user"
            " id is u-48213."
        ),
        "The receipt you mailed shows 19 euros, but my card was debited 29. Which is right?",
        (
            "Our plan renewed although we cancelled the subscription in January. We want the money"
            " back."
        ),
        "Can you send the invoice for order 8812 again, with our VAT number on it?",
        "My credit card expired and the payment failed, so please let me pay by bank transfer.",
        "Why did the price of the Pro plan go up by 20 percent without notice? u-10034",
        "We upgraded mid month and the prorated amount on the bill makes no sense to us.",
        "There is a fee of $4.99 on my statement that I do not recognise.",
        "The discount code SPRING was not applied at checkout and I paid the full amount.",
        "Hola, me han cobrado dos veces la factura de abril. Quiero un reembolso.",
    ],
    "bug": [
        "The app crashes every time I open the calendar on Android. u-55120",
        "Export to PDF gives an empty file since yesterday's update.",
        "Error 500 when I save a note with an emoji in the title. Please fix it.",
        "The search shows results from deleted projects, which is clearly wrong.",
        "Sync stopped working on my laptop: changes made there never arrive on the phone.",
        "The dashboard freezes and the browser says the page is not responding.",
        "Dates are off by one day in the weekly report for everyone in our office (u-77001).",
        "After the last update the screen stays black and nothing loads.",
        "Dragging a card between columns throws an exception and the card disappears.",
        "Die App stürzt beim Öffnen des Kalenders immer ab, Fehler 0x80.",
    ],
    "how_to": [
        "How do I share a folder with a colleague who has no licence?",
        "Where can I find the setting that turns off the weekly summary?",
        "Is there a way to import my contacts from a spreadsheet?",
        "I would like to know how to set up a recurring task. u-20981",
        "Could you explain how filters work in the board view?",
        "What is the right way to merge two projects into one?",
        "How can we connect the calendar with our chat tool?",
        "Can I schedule a report to be sent each Monday, and how?",
        "Please tell me the steps to add a signature to all outgoing messages.",
        "Wie kann ich eine Vorlage für neue Projekte anlegen?",
    ],
    "account": [
        "I forgot my password and the reset mail never comes. u-31337",
        "Please delete my profile and all data that you hold about me.",
        "My two factor phone is lost and I am locked out of my login.",
        "Change the email address of my user to the new company domain.",
        "A colleague left; please transfer the ownership of her workspace to me.",
        "I cannot sign in, it says that my access was suspended.",
        "Someone logged in to my account from another country, please block it!",
        "Add three seats for new team members with admin permissions.",
        "My user name is misspelled on the profile page, please correct it.",
        "Je ne peux plus me connecter, mon mot de passe est refusé.",
    ],
    "shipping": [
        "My parcel has not arrived, the tracking says delivered. u-90111",
        "The headset came in a broken box and one cable is missing.",
        "Can the delivery address of order 5521 still be changed?",
        "Where is my package? It was dispatched nine days ago.",
        "The courier left the router at the wrong house.",
        "I want to return the keyboard, please send a return label.",
        "You sent the blue case, but I ordered the black one.",
        "Customs holds our shipment of sensors and asks for papers.",
        "How long does delivery to Norway take for the camera?",
        "Mein Paket ist seit zwei Wochen unterwegs und nicht angekommen.",
    ],
    "feedback": [
        "I love the new dark mode, great work by your team!",
        "It would be nice to have a keyboard shortcut for archiving.",
        "The new navigation is confusing, I preferred the old design.",
        "Just wanted to say thanks to Maria from support, she was wonderful. u-60007",
        "Suggestion: let us colour tags per project, like Acme does.",
        "Honestly, your latest redesign is ugly and slow to use. Disappointing.",
        "A feature request: offline mode for the mobile client would help us a lot.",
        "Keep it up, this is the best planner that I have tried so far.",
        "I wish that the widget had a larger font option for older people.",
        "Acme has a far better onboarding than you, please learn from it.",
    ],
}
NAMES = "Categories:\n" + "".join(f"- {name}\n" for name in TICKETS)
DEFINED = """Categories:
- billing: charges, refunds, invoices, payment methods, subscriptions, plans and prices
- bug: something in the product is broken, crashes, shows an error or gives wrong results
- how_to: the customer asks how to do or find something in the product
- account: login, password, profile, permissions, closing or moving an account
- shipping: parcels, delivery, tracking, orders of hardware and returns
- feedback: praise, complaints, wishes and ideas for new features
"""
MISLEADING = DEFINED.replace(
    "charges, refunds, invoices, payment methods, subscriptions, plans and prices",
    "parcels, delivery, tracking, packages",
).replace(
    "parcels, delivery, tracking, orders of hardware and returns",
    "charges, refunds, invoices, money",
)
FORM = "\nAnswer in JSON with the key category."
SHOWN, HELD_OUT = slice(0, 5), slice(5, None)


def tickets(part: slice) -> list[tuple[str, str]]:
    """(text, category), categories in turn."""
    rows = zip(*(texts[part] for texts in TICKETS.values()), strict=True)
    return [(text, name) for row in rows for text, name in zip(row, TICKETS, strict=True)]


def ask(system: str, text: str, shown: Iterable[tuple[str, str]] = (), **settings: Any) -> str:
    turns = [
        message
        for question, answer in shown
        for message in (
            {"role": "user", "content": question},
            {"role": "assistant", "content": json.dumps({"category": answer})},
        )
    ]
    messages = [
        {"role": "system", "content": system + FORM},
        *turns,
        {"role": "user", "content": text},
    ]
    return speak({"messages": messages, "temperature": 0, **settings}).text


def accuracy(system: str, shown: Iterable[tuple[str, str]] = ()) -> float:
    held_out = tickets(HELD_OUT)
    return sum(
        json.loads(ask(system, text, shown))["category"] == name for text, name in held_out
    ) / len(held_out)


def test_a_vague_prompt_gets_prose_and_a_defined_one_gets_labels() -> None:
    """Nothing told, nothing known: without labels the answer is a sentence."""
    vague = [
        speak(
            {
                "messages": [{"role": "user", "content": f"Classify this ticket: {text}"}],
                "temperature": 0,
            }
        ).text
        for text, _ in tickets(HELD_OUT)
    ]
    assert not any(answer.startswith("{") for answer in vague)
    assert accuracy(DEFINED) >= 0.5


def test_definitions_raise_held_out_accuracy() -> None:
    """Names alone say less than names with their meaning."""
    assert accuracy(DEFINED) >= accuracy(NAMES) + 0.2


def test_good_examples_raise_held_out_accuracy() -> None:
    """Thirty examples with the right answers help on tickets that are not among them."""
    assert accuracy(NAMES, tickets(SHOWN)) >= accuracy(NAMES) + 0.1
    assert accuracy(DEFINED, tickets(SHOWN)) >= accuracy(DEFINED)


def test_wrong_examples_lower_held_out_accuracy() -> None:
    """The same examples with the answers moved by one label hurt."""
    names = list(TICKETS)
    wrong = [(text, names[(names.index(name) + 1) % len(names)]) for text, name in tickets(SHOWN)]
    assert accuracy(NAMES, wrong) < accuracy(NAMES, tickets(SHOWN))


def test_a_misleading_definition_lowers_held_out_accuracy() -> None:
    """Two definitions exchanged: the model believes its prompt."""
    assert accuracy(MISLEADING) <= accuracy(DEFINED) - 0.1


def test_an_example_that_is_asked_again_gets_its_own_answer() -> None:
    """What was shown word for word is repeated."""
    shown = tickets(SHOWN)
    right = sum(json.loads(ask(NAMES, text, shown))["category"] == name for text, name in shown)
    assert right >= 0.9 * len(shown)


def test_only_the_request_counts() -> None:
    """Ids, values, versions and prompt names in the call change nothing: they are never looked
    at.
    """
    request = {
        "messages": [
            {"role": "system", "content": DEFINED + FORM},
            {"role": "user", "content": "a refund"},
        ],
        "temperature": 0.9,
    }
    model = EmbeddedModel()

    def text(**rest: Any) -> str | None:
        return asyncio.run(model.complete(Call(request=request, **rest))).text

    plain = text()
    assert (
        text(example_id="t-001", values={"expected": "shipping", "ticket": "x"}, prompt="p")
        == plain
    )
    assert text(example_id="t-002", values={"expected": "billing"}, prompt="q") == plain


def test_what_a_definition_excludes_speaks_against_it() -> None:
    """ "not refunds" keeps refunds out."""
    field = Field(
        "x",
        (AllowedValue("a", "payments, but not refunds"), AllowedValue("b", "payments and refunds")),
    )
    scores = Learner(field, []).scores(["refund"])
    assert scores[0] < 0 < scores[1]


def test_everything_else_wins_where_nothing_fits() -> None:
    """A label that is defined as the rest is the answer to words that no definition holds."""
    field = Field(
        "x",
        (
            AllowedValue("a", "payments"),
            AllowedValue("b", "everything else"),
            AllowedValue("c", "parcels"),
        ),
    )
    learner = Learner(field, [])
    assert learner.scores(["banana"])[1] > max(
        learner.scores(["banana"])[0], learner.scores(["banana"])[2]
    )
    assert learner.scores(["pay"])[0] > learner.scores(["pay"])[1]


def test_how_often_examples_show_a_label_counts() -> None:
    """Where the text says nothing, the commoner label is likelier."""
    field = Field("x", (AllowedValue("a"), AllowedValue("b")))
    scores = Learner(field, [(f"word{i}", "b" if i % 4 else "a") for i in range(20)]).scores(
        ["banana"]
    )
    assert scores[1] > scores[0]


SUPPORT = Path(__file__).resolve().parents[2] / "data" / "support_tickets.jsonl"


def support(split: str) -> list[Mapping[str, Any]]:
    return [
        row
        for line in SUPPORT.read_text(encoding="utf-8").splitlines()
        if split_of((row := json.loads(line))["id"]) == split
    ]


@pytest.mark.skipif(
    not SUPPORT.exists(), reason="data/support_tickets.jsonl is not in this checkout"
)
def test_the_road_of_the_tour_on_the_test_split_of_the_support_tickets() -> None:
    """Vague, then labels, then definitions: each prompt does better on tickets that it was not
    written for.
    """
    names = "Categories:\n- billing\n- bug\n- how_to\n- account\n- shipping\n- feedback\n"
    form = (
        "\nAnswer in JSON with the keys user_id and category. user_id looks like u-48213; use null"
        " if there is none. Never mention Acme."
    )
    rows = support("test")

    def right(system: str) -> tuple[float, float]:
        answers = [
            json.loads(
                speak(
                    {
                        "messages": [
                            {"role": "system", "content": system + form},
                            {"role": "user", "content": row["ticket"]},
                        ],
                        "temperature": 0,
                    }
                ).text
            )
            for row in rows
        ]
        pairs = list(zip(answers, rows, strict=True))
        return (
            sum(answer["category"] == row["expected"]["category"] for answer, row in pairs)
            / len(rows),
            sum(answer["user_id"] == row["expected"]["user_id"] for answer, row in pairs)
            / len(rows),
        )

    named, ids = right(names)
    defined, _ = right(KEYWORDS)
    assert ids >= 0.97
    assert defined >= named + 0.1
    assert 0.4 <= defined <= 0.95


KEYWORDS = """Categories:
- billing: money: charged, charge, payment, paid, pay, refund, invoice, receipt, price, discount, subscription, plan renewal, credit card, bank, VAT, tax
- bug: something does not work as it should: error, crash, freeze, broken, wrong, stopped, fails, empty, lost, since the update, firmware
- how_to: a question how to do something: how do I, where do I find, can I, is it possible, is there a way, setting, explain
- account: sign in, log in, login, password, code, two-factor, locked out, profile, delete my account, personal data, owner, workspace members, roles
- shipping: parcel, package, delivery, courier, tracking, address, order, arrived, customs, return label, box, missing part, warehouse
- feedback: thank you, love, great, praise, criticism, opinion, wish, idea, suggestion, would be nice, please add, and everything else
"""
