"""Keys are taken out of texts: known ones everywhere, what looks like one out of the words of a failure."""

from __future__ import annotations

import pytest

from promptops.models.redact import HIDDEN, HoldsSecrets, environment_secrets, header_secrets, redact, redact_failure


def test_known_secrets_are_replaced_wherever_they_stand() -> None:
    """In the middle of words and several times; everything else stays."""
    assert redact("a my-secret-1 b, xmy-secret-1x", ["my-secret-1", "absent"]) == f"a {HIDDEN} b, x{HIDDEN}x"
    assert redact("nothing to hide", []) == "nothing to hide"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF1234567890",
        "gsk_abcdefghijklmnop",
        "AIzaSyA1234567890abcdefghijkl",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnop1234",
    ],
)
def test_what_looks_like_a_key_is_taken_out_of_failures(secret: str) -> None:
    """Whatever key a provider echoes, also one that nobody told us."""
    assert secret not in redact_failure(f"Incorrect API key provided: {secret}.", ())
    assert secret not in redact_failure(f"header 'Authorization: Bearer {secret}' refused", ())


def test_passwords_in_addresses_and_queries_are_taken_out() -> None:
    """Proxies and endpoints may be named with their credentials."""
    told = redact_failure("cannot reach http://ann:hunter2@proxy:3128/x?key=abcdefgh1234&z=1", ())
    assert told == f"cannot reach http://{HIDDEN}@proxy:3128/x?key={HIDDEN}&z=1"


@pytest.mark.parametrize(
    "text", ["use task-oriented prompts", "max_tokens is 5", "risk-averse-and-so-on-and-on", "the monkey=banana", "at 10:30@noon"]
)
def test_innocent_words_stay(text: str) -> None:
    """A message is still worth reading."""
    assert redact_failure(text, ()) == text


def test_the_environments_secrets_are_known_by_their_names() -> None:
    """Keys, tokens, secrets, passwords of at least eight characters; nothing else, and no short word."""
    found = environment_secrets(
        {
            "OPENAI_API_KEY": "one-secret",
            "HF_TOKEN": "two-secret",
            "DB_PASSWORD": "three-secret",
            "MAX_TOKENS": "4096",
            "TOKENIZERS_PARALLELISM": "false-false",
            "PATH": "/usr/bin:/bin",
            "KEYBOARD": "querty-layout",
        }
    )
    assert found == {"one-secret", "two-secret", "three-secret"}


def test_headers_that_carry_credentials_are_known() -> None:
    """Without their scheme; other headers stay visible."""
    headers = {"Authorization": "Bearer tok-123456", "api-key": "abc-123456", "X-Team": "visible-team", "Cookie": "s=987654321"}
    assert header_secrets(headers) == {"tok-123456", "abc-123456", "s=987654321"}


def test_holding_secrets_is_a_protocol() -> None:
    """A model that has the property is asked for them, any other is not."""

    class Holds:
        secrets = frozenset({"x"})

    assert isinstance(Holds(), HoldsSecrets)
    assert not isinstance(object(), HoldsSecrets)
