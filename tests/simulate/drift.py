"""The table of the guide's page on drift: `python tests/simulate/drift.py` prints it, always with
the same figures.

False alarms: the share of projects of m monitors with at least one within 120 days without drift,
from independent monitors: 1 - (1 - p)^m for the share p of single monitors over 365 m.
Delay: days from the drop, after 30 quiet days, to the alarm: median / 90th percentile.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np

from promptops.analysis.drift import threshold
from promptops.analysis.drift_worlds import FLAKY, World, alarm_days, evidence

PROJECTS, SIZES, DROPS = (1, 5, 20), (50, 100, 200), (0.03, 0.05, 0.10)
DAYS, QUIET, SEED = 120, 30, 20261129


def rows(null: int, alternative: int) -> Iterator[tuple[str, ...]]:
    """One row per world, size and number of monitors."""
    for world, flaky in FLAKY.items():
        for n in SIZES:
            calm = evidence(World(n, flaky), null, DAYS, SEED)
            drops = [
                evidence(World(n, flaky, quiet=QUIET, drop=drop), alternative, DAYS, SEED + 1)
                for drop in DROPS
            ]
            for m in PROJECTS:
                p = float(np.isfinite(alarm_days(calm, threshold(m))).mean())
                error = m * (1 - p) ** (m - 1) * math.sqrt(p * (1 - p) / null)
                cells = [delay(alarm_days(each, threshold(m), QUIET)) for each in drops]
                yield (
                    *(world, str(n), str(m)),
                    f"{100 * (1 - (1 - p) ** m):.1f} ± {200 * error:.1f} %",
                    *cells,
                )


def delay(days: np.ndarray) -> str:
    """Median / 90th percentile; "-" where so many did not alarm."""
    low, high = np.quantile(days, [0.5, 0.9], method="inverted_cdf")
    median, late = (f"{x:.0f}" if np.isfinite(x) else "-" for x in (low, high))
    return f"{median}/{late}"


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--monitors", type=int, default=2000, help="without drift, per row")
    parser.add_argument("--dropping", type=int, default=400, help="with a drop, per cell")
    chosen = parser.parse_args()
    heads = ("world", "examples", "monitors", "false alarms in 120 days (± 2 se)")
    print("| " + " | ".join([*heads, *(f"{100 * drop:.0f} points" for drop in DROPS)]) + " |")
    print("| --- " * (len(heads) + len(DROPS)) + "|")
    for row in rows(chosen.monitors, chosen.dropping):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
