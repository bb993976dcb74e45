"""How many prompts `scan` finds in public repositories that were labelled by hand, before anything
was tuned: `python tests/exchange/scan_recall.py FOLDER` prints recall and precision.

FOLDER holds a checkout of each as `owner+name`, at the commit of the labels; one that is not there
is left out and named. A label counts once; every further find is a false one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptops.exchange.scan import scan

LABELS = Path(__file__).with_name("scan_labels.json")
NEAR = 2


@dataclass(frozen=True)
class Counted:
    """hits: labels that were found; missed: their names; wrong: (file, line) of finds that are no
    prompt, or one that was found before.
    """

    hits: int
    missed: tuple[str, ...]
    wrong: tuple[tuple[str, int], ...]


def _places(label: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(file, line) of each place that names the label."""
    there = [(label["file"], line) for line in label["lines"]]
    return there + [(file, line) for file, line in label.get("also", ())]


def counted(labels: Sequence[Mapping[str, Any]], found: Iterable[tuple[str, int]]) -> Counted:
    """Finds held against labels."""
    left = list(labels)
    wrong = []
    for file, line in found:
        near = next(
            (
                label
                for label in left
                if any(
                    place == file and abs(line - each) <= NEAR for place, each in _places(label)
                )
            ),
            None,
        )
        if near is None:
            wrong.append((file, line))
        else:
            left.remove(near)
    missed = tuple(str(label["name"]) for label in left)
    return Counted(len(labels) - len(left), missed, tuple(wrong))


def main(folder: Path) -> None:
    """A line for each repository, and one for all."""
    hits = missed = wrong = 0
    for each in json.loads(LABELS.read_text(encoding="utf-8"))["repositories"]:
        place = folder / each["repo"].replace("/", "+")
        if not place.is_dir():
            print(f"{each['repo']}: not there")
            continue
        got = counted(each["prompts"], [(found.file, found.line) for found in scan([place])])
        hits, missed, wrong = hits + got.hits, missed + len(got.missed), wrong + len(got.wrong)
        print(
            f"{each['repo']}: found {got.hits} of {len(each['prompts'])}, {len(got.wrong)} others"
        )
        print("".join(f"  missed {name}\n" for name in got.missed), end="")
        print("".join(f"  not labelled {file}:{line}\n" for file, line in got.wrong), end="")
    print(f"recall {hits / max(hits + missed, 1):.0%}, precision {hits / max(hits + wrong, 1):.0%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
