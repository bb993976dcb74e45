"""What the words of 84 labelled tickets can teach: definitions made of them, and classifiers that
see all of them, on the other rows of train and val; prints points above the seed prompt.

    python tests/benchmarks/ticket_words.py [--draws 24]

The test split is not touched. It shows why `instructions` without a text by hand ends below one
with: no reader of these rows alone comes near what a person knows of the labels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import mean, stdev

from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from promptops.dataset import Example
from promptops.optimize.operators import definitions, labelled

sys.path.insert(0, str(Path(__file__).parent))
from optimizers import tickets
from ticket_prompts import HEAD, MEANINGS

ROWS = 84  # as many as the train split has
SETTING = tickets()
Right = Callable[[Sequence[Example], Sequence[Example]], float]


def told(text: str, rows: Sequence[Example]) -> float:
    """The share of rows that the embedded model answers right by an instruction."""
    return mean(
        SETTING.answer(
            [
                {"role": "system", "content": text},
                {"role": "user", "content": str(row.inputs["text"])},
            ]
        )
        == row.expected
        for row in rows
    )


def defined(seen: Sequence[Example], rows: Sequence[Example]) -> float:
    """By definitions of 24 words each."""
    found = labelled([(row, str(row.expected)) for row in seen])
    return told(f"{HEAD}\n\n{definitions(found, 24)}", rows) if found else 0.0


def fitted(words: type[CountVectorizer], model: object) -> Right:
    """By a classifier of all words."""

    def right(seen: Sequence[Example], rows: Sequence[Example]) -> float:
        made = make_pipeline(words(), model)
        made.fit([str(row.inputs["text"]) for row in seen], [row.expected for row in seen])
        found = made.predict([str(row.inputs["text"]) for row in rows])
        return mean(a == row.expected for a, row in zip(found, rows, strict=True))

    return right


READERS: Mapping[str, Right] = {
    "definitions by 24 words": defined,
    "naive Bayes": fitted(CountVectorizer, MultinomialNB()),
    "logistic regression, tf-idf": fitted(TfidfVectorizer, LogisticRegression(C=10)),
    "ridge, tf-idf": fitted(TfidfVectorizer, RidgeClassifier()),
    "the text by hand": lambda _, rows: told(f"{HEAD}\n\n{MEANINGS}", rows),
}


def main(draws: int) -> None:
    """Each reader on the same draws of 84 rows."""
    every = [*SETTING.data.train, *SETTING.data.val]
    gains: dict[str, list[float]] = {name: [] for name in READERS}
    for draw in range(draws):
        rows = Random(draw).sample(every, len(every))
        seen, rest = rows[:ROWS], rows[ROWS:]
        seed = told(HEAD, rest)
        for name, right in READERS.items():
            gains[name].append(100 * (right(seen, rest) - seed))
    for name, found in gains.items():
        print(f"{name:28s} {mean(found):+5.1f} points ± {stdev(found) / draws**0.5:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=24)
    main(parser.parse_args().draws)
