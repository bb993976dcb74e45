"""Thirty questions "where is ...?", each of which a reader answers from the names of files alone.

A question is answered where one of two guesses, words of the question or of the field, matches the
paths of at most two files of the package, and one of these defines what was asked for.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "promptops/"
# the question, a reader's two guesses at a part of a path, and what stands in the file
QUESTIONS = {
    "the content id of a version": ("version/identity", "version/version", "def id"),
    "the renderer": ("renderer", "render", "def fill"),
    "word diff": ("word_diff", "version/diff", "def words"),
    "reading a CSV": ("csv", "read_csv", "def open_csv"),
    "splits": ("splits", "dataset/split", "def split_of"),
    "retries and back-off": ("retries", "backoff", "class Caller"),
    "rate adaptation": ("rate_", "adaptive", "class Pace"),
    "the budget": ("engine/budget", "budgets", "class Budget"),
    "the circuit breaker": ("breaker", "circuit", "class Breaker"),
    "which failures are outcomes": ("failures", "failure_", "FAILURES"),
    "retry of failed scorers": ("retry_scorers", "scorers/retry", "def for_retry"),
    "wear of a test split": ("split_wear", "wear", "def times_used"),
    "the author of a step": ("author", "acting", "def author"),
    "validation of response_format": ("response_format", "validate", "def held"),
    "early stopping": ("early_stopping", "stopping", "class EarlyStop"),
    "e-values": ("e_values", "evalue", "def e_value"),
    "the sign-flip test": ("sign_flip", "flip", "def lower_tail"),
    "intervals": ("intervals", "confidence", "def wilson"),
    "export of a store": ("store/export.", "store/write", "def export_rows"),
    "export of a registry": ("registry/export", "registry_export", "def export"),
    "canary share": ("canary_share", "share", "def in_canary"),
    "the registry's lock": ("registry/lock", "registry/write_lock", "def locked"),
    "the store's lock": ("store/lock", "locks", "def turn"),
    "resuming a study": ("study/resum", "resuming", "def begun_or_resumed"),
    "study.toml": ("study_toml", "study_file", "class Declared"),
    "must-pass pins": ("must_pass", "pins", "def pin"),
    "redaction of secrets": ("redact", "secrets", "def redact"),
    "merging segments into DuckDB": ("merge_segments", "segments", "def merge"),
    "the TypeScript reader": ("typescript/promptops.ts", "reader.ts", "class Loader"),
    "the demo": ("demo", "cli/demo", "def demo"),
}


@cache
def names() -> tuple[str, ...]:
    """Files of the package, as git lists them."""
    listed = subprocess.run(
        ["git", "ls-files", PACKAGE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(name for name in listed.stdout.split() if name.endswith((".py", ".ts")))


def defines(name: str, found: str) -> bool:
    """Whether a file defines what was asked for."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.search(rf"^ *(export )?(async )?{re.escape(found)}\b", text, re.MULTILINE) is not None


def test_there_are_thirty_questions() -> None:
    assert len(QUESTIONS) == 30


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_file_name_answers_within_two_guesses(question: str) -> None:
    *guesses, found = QUESTIONS[question]
    opened = [[name for name in names() if guess in name] for guess in guesses]
    near = [files for files in opened if len(files) <= 2]
    assert any(defines(name, found) for files in near for name in files), opened
