"""Keys are taken out of texts: known ones everywhere, what looks like one out of the words of a
failure.
"""

from __future__ import annotations

import base64
import logging
import re

import pytest
import re2

from promptops.models.credentials import QuietAddresses, header_secrets
from promptops.redact import (
    HIDDEN,
    HoldsSecrets,
    Redactor,
    environment_secrets,
    redact,
    redact_shapes,
)
from tests.quick import quick


def test_known_secrets_are_replaced_wherever_they_stand() -> None:
    """In the middle of words and several times; everything else stays."""
    assert (
        redact("a my-secret-1 b, xmy-secret-1x", ["my-secret-1", "absent"])
        == f"a {HIDDEN} b, x{HIDDEN}x"
    )
    assert redact("nothing to hide", []) == "nothing to hide"
    assert redact("key abcd1234efgh", {"abcd1234", "abcd1234efgh"}) == f"key {HIDDEN}"


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
    assert secret not in redact_shapes(f"Incorrect API key provided: {secret}.", ())
    assert secret not in redact_shapes(f"header 'Authorization: Bearer {secret}' refused", ())


def test_passwords_in_addresses_and_queries_are_taken_out() -> None:
    """Proxies and endpoints may be named with their credentials."""
    told = redact_shapes("cannot reach http://ann:hunter2@proxy:3128/x?key=abcdefgh1234&z=1", ())
    assert told == f"cannot reach http://{HIDDEN}@proxy:3128/x?key={HIDDEN}&z=1"


@pytest.mark.parametrize(
    "text",
    [
        "use task-oriented prompts",
        "max_tokens is 5",
        "risk-averse-and-so-on-and-on",
        "the monkey=banana",
        "at 10:30@noon",
    ],
)
def test_innocent_words_stay(text: str) -> None:
    """A message is still worth reading."""
    assert redact_shapes(text, ()) == text


def test_the_environments_secrets_are_known_by_their_names() -> None:
    """Keys, tokens, secrets, passwords of at least eight characters; nothing else, and no short
    word.
    """
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
    headers = {
        "Authorization": "Bearer tok-123456",
        "api-key": "abc-123456",
        "X-Team": "visible-team",
        "Cookie": "s=987654321",
    }
    assert header_secrets(headers) == {"tok-123456", "abc-123456", "s=987654321", "987654321"}


def test_holding_secrets_is_a_protocol() -> None:
    """A model that has the property is asked for them, any other is not."""

    class Holds:
        secrets = frozenset({"x"})

    assert isinstance(Holds(), HoldsSecrets)
    assert not isinstance(object(), HoldsSecrets)


def test_passwords_in_the_environments_addresses_are_known() -> None:
    """A proxy's, a database's, under whatever name, also of several in one; no word that may be
    in any text.
    """
    found = environment_secrets(
        {
            "HTTPS_PROXY": "http://ann:pr0xy%2Fword@proxy:3128",
            "DATABASE_URL": "postgres://bob:d@tab4se-w0rd@db:5432/x",
            "REDIS": "redis://:r3dis-one1@a:1,redis://:r3dis-two2@b:1",
            "LOCAL": "postgres://postgres:postgres@localhost/x",
            "HOME_PAGE": "https://somewhere.example/a@b",
        }
    )
    assert found == {"pr0xy%2Fword", "pr0xy/word", "d@tab4se-w0rd", "r3dis-one1", "r3dis-two2"}


def test_a_long_variable_is_read_in_no_time() -> None:
    """An environment's value has up to 128 kB; looking is linear in it."""
    with quick(1):
        for value in (
            "a" * 130_000 + "://",
            "://" * 40_000,
            "a://b:" + "@" * 130_000 + "/",
            "a.b," * 30_000 + "://x",
        ):
            environment_secrets({"LONG": value})


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("Authorization", "Bearer abcd1234efgh", {"abcd1234efgh"}),
        (
            "Authorization",
            "Basic " + base64.b64encode(b"ann:basic-word-1").decode(),
            {base64.b64encode(b"ann:basic-word-1").decode(), "basic-word-1"},
        ),
        (
            "Authorization",
            'Digest username="annabella", response="6629fae49393a053"',
            {"6629fae49393a053"},
        ),
        ("Cookie", "session=s3ssion-a1; theme=dark; csrf=csrf-b2-c3", {"s3ssion-a1", "csrf-b2-c3"}),
        ("X-Gateway", "q01Zq7Xw9Lm4Tn2Vb8", {"q01Zq7Xw9Lm4Tn2Vb8"}),
    ],
)
def test_a_headers_credentials_are_known_piece_by_piece(
    name: str, value: str, secrets: set[str]
) -> None:
    """Each cookie, what Basic encodes, and what looks made by chance under a name that says
    nothing.
    """
    assert secrets <= header_secrets({name: value})
    assert header_secrets({name: "none"}) == frozenset()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("User-Agent", "python-httpx2/0.28.1-company"),
        ("X-Team", "the-visible-team-of-ours"),
        ("X-Title", "promptops-release-2026"),
        ("HTTP-Referer", "https://somewhere.example/1"),
        ("X-Docs", "https://somewhere.example/1"),
        ("X-Region", "eu-west-1"),
        ("X-Purpose", "support of 12 customers a day"),
    ],
)
def test_a_headers_ordinary_value_is_no_secret(name: str, value: str) -> None:
    """Redacting it would spoil texts that name it."""
    assert header_secrets({name: value}) == frozenset()


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("http://ann:pa%2Fss-word1@h:1/v1?a=b", f"POST http://{HIDDEN}@h:1/v1?{HIDDEN} 100%"),
        ("http://h/v1?key=pa/ss-word1", f"POST http://h/v1?{HIDDEN} 100%"),
        ("http://h/pa/ss-word1/v1", f"POST http://h/{HIDDEN}/v1 100%"),
        ("http://ann:other@h/v1?a=b%20c", "POST http://ann:other@h/v1?a=b%20c 100%"),
    ],
)
def test_a_log_of_addresses_holds_no_known_secret(said: str, heard: str) -> None:
    """Of an address that holds one, credentials and query are taken out; others are left as they
    are, and so is the rest of the line.
    """
    quiet = QuietAddresses()
    quiet.secrets = frozenset({"pa/ss-word1"})
    record = logging.LogRecord("x", logging.INFO, "", 0, "POST %s 100%%", (said,), None)
    assert quiet.filter(record)
    assert record.getMessage() == heard


def test_a_secret_that_is_not_utf_8_is_taken_out_too() -> None:
    """Its bytes are halves of surrogate pairs in the environment; every write had raised."""
    secret = b"abcdefgh\xff\xfe-xyz".decode("utf-8", "surrogateescape")
    for compiled in (re.compile, re2.compile):
        clean = Redactor({"DB_PASSWORD": secret}, compile=compiled)
        assert clean("before") == "before"
        assert clean(f"my {secret} here") == f"my {HIDDEN} here"


def test_the_working_folder_is_no_secret() -> None:
    """A shell's PWD is named like DB_PWD; a path in a note or an answer stays what it is."""
    found = environment_secrets(
        {
            "PWD": "/srv/app-one",
            "OLDPWD": "/home/me/two",
            "DB_PWD": "/hunter/22",
            "pwd": "hunter-33",
        }
    )
    assert found == {"/hunter/22", "hunter-33"}


def test_users_who_bring_their_own_keys_do_not_slow_the_application() -> None:
    """Each client that is observed keeps its key; the patterns were built again for every one."""
    built = []

    def compile(pattern: bytes) -> object:
        built.append(len(pattern))
        return re.compile(pattern)

    redactor = Redactor({}, compile)
    keys = [f"sk-proj-{number}-abcdefghijklmnop" for number in range(400)]
    for key in keys * 2:
        redactor.keep_secret(key)
    assert built == []
    assert all(redactor(f"my key is {key}.") == f"my key is {HIDDEN}." for key in keys)
    assert len(built) == 1
    plain = [f"{number:03}0123456789abcdef" for number in range(3)]  # of no shape that is known
    for key in plain:
        redactor.keep_secret(key)
        assert redactor(f"{key}, x{keys[0]}x") == f"{HIDDEN}, x{HIDDEN}x"
    assert len(built) == 4
    assert built[-1] < built[0] + 300
