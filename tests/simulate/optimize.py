"""The table of null searches: `python tests/simulate/optimize.py` prints it, always with the same
figures.

Nothing is better than the seed in any of them: the share that is promoted has to stay below 5 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from promptops.optimize.null_search import null


def rows(searches: int) -> Iterator[str]:
    """One row per size of the test split."""
    yield "test rows  val says better  by points  promoted  99 % lower bound"
    for test in (100, 200):
        found = null(searches, test=test)
        yield (
            f"{test:9d}  {found.better:15.1%}  {found.points:9.1f}  {found.share:8.3f}"
            f"  {found.lower:.3f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=20_000)
    print("\n".join(rows(parser.parse_args().searches)))
