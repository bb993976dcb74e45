"""How many prompts `scan` finds in public repositories that were labelled by hand, before anything
was tuned: `python tests/exchange/scan_recall.py FOLDER` prints recall and precision.

CI has no network, so `--keep` records what was found, as files and lines, in scan_finds.json, and
a test counts that record against the labels. What the scanner finds today is measured by the
command alone. FOLDER holds a checkout of each as `owner+name`, at the commit of the labels; one
that is not there is left out and named. A label counts once; every further find is a false one.

Four more repositories were labelled when all mending was done, and scanned after that. The finds of
that first run (scan_finds_held_out.json) are the honest figure for code that the scanner has not
seen, and no run replaces them.
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
FINDS = LABELS.with_name("scan_finds.json")
HELD_OUT = LABELS.with_name("scan_labels_held_out.json")
HELD_OUT_FINDS = LABELS.with_name(
    "scan_finds_held_out.json"
)  # of the first run: never written anew
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
                if any(place == file and abs(line - each) <= NEAR for place, each in _places(label))
            ),
            None,
        )
        if near is None:
            wrong.append((file, line))
        else:
            left.remove(near)
    missed = tuple(str(label["name"]) for label in left)
    return Counted(len(labels) - len(left), missed, tuple(wrong))


def summed(all_counted: Iterable[Counted]) -> tuple[float, float]:
    """(recall, precision) over repositories."""
    each = list(all_counted)
    hits = sum(got.hits for got in each)
    missed, wrong = (sum(len(got.missed) for got in each), sum(len(got.wrong) for got in each))
    return hits / max(hits + missed, 1), hits / max(hits + wrong, 1)


def repositories(held_out: bool) -> list[dict[str, Any]]:
    """The labelled repositories: the four held out, or the ten that the scanner was mended on."""
    kept = HELD_OUT if held_out else LABELS
    found: list[dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))["repositories"]
    return found


def main(folder: Path, keep: bool = False) -> None:
    """A line for each repository, and one for the ten and for the four."""
    finds: dict[str, list[tuple[str, int]]] = {}
    for held_out in (False, True):
        got = []
        for each in repositories(held_out):
            place = folder / each["repo"].replace("/", "+")
            if place.is_dir():
                finds[each["repo"]] = [(found.file, found.line) for found in scan([place])]
                got.append(counted(each["prompts"], finds[each["repo"]]))
                _say(each, got[-1])
            else:
                print(f"{each['repo']}: not there")
        recall, precision = summed(got)
        which = "held out, since mended" if held_out else "mended on"
        print(f"{which}: recall {recall:.0%}, precision {precision:.0%}")
    if keep:
        rows = ",\n".join(f'  "{repo}": {json.dumps(found)}' for repo, found in finds.items())
        FINDS.write_text("{\n" + rows + "\n}\n", encoding="utf-8")


def _say(labelled: Mapping[str, Any], here: Counted) -> None:
    of = len(labelled["prompts"])
    print(f"{labelled['repo']}: found {here.hits} of {of}, {len(here.wrong)} others")
    print("".join(f"  missed {name}\n" for name in here.missed), end="")
    print("".join(f"  not labelled {file}:{line}\n" for file, line in here.wrong), end="")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--keep" in sys.argv)
