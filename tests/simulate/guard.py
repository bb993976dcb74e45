"""The table of the guide's page on the canary's guard: `python tests/simulate/guard.py` prints it,
always with the same figures.

Users differ in how much they call (heavy-tailed) and in how well they are served (a beta
distribution around the arm's mean); a tenth of them meet the canary. The guard looks after every
fifth new canary user, with four measures, of which quality is the one that may differ. Aborted: the
share of 2,000 calls of the canary, or of 300 users of it where there is a drop; median: canary
users seen at the abort.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from promptops.analysis.canary_evidence import Seen, judge_canary
from promptops.analysis.e_values import e_value

EVERY, SHARE, SEED = 5, 0.1, 20261129
EQUAL = ((0.8, 200), (0.8, 2000), (0.98, 200), (0.98, 2000))
DROPS = ((0.8, 0.7), (0.8, 0.6), (0.98, 0.9))
Floats = NDArray[np.float64]


def traffic(rng: np.random.Generator, users: int, stable: float, canary: float, calls: int) -> Seen:
    """Calls in order: whose, of which arm, how good."""
    weight = rng.pareto(1.2, users) + 1
    arm = rng.random(users) < SHARE
    level = np.where(arm, canary, stable)
    chance = rng.beta(level * 6, (1 - level) * 6)
    who = rng.choice(users, calls, p=weight / weight.sum())
    return Seen(who, arm[who], (rng.random(calls) < chance[who]).astype(float))


def looks(seen: Seen, most_calls: int | None = None) -> Iterator[tuple[int, int]]:
    """(canary users, calls) at each look."""
    new = np.zeros(len(seen.users), dtype=bool)
    new[np.unique(seen.users, return_index=True)[1]] = True
    users = np.cumsum(new & seen.canary)
    calls = np.cumsum(seen.canary)
    for count in range(EVERY, int(users[-1]) + 1, EVERY):
        at = int(np.searchsorted(users, count)) + 1
        if most_calls is not None and calls[at - 1] > most_calls:
            return
        yield count, at


def aborted(rng: np.random.Generator, seen: Seen, measures: int, most_calls: int | None) -> float:
    """Canary users at the abort; inf if it is not aborted. The other measures are of users who
    are served alike.
    """
    names = ("quality", "failures", "latency", "cost")[:measures]
    calm = {name: rng.random(len(seen.users)) < 0.97 for name in names[1:]}
    for users, at in looks(seen, most_calls):
        part = {"quality": Seen(seen.users[:at], seen.canary[:at], seen.values[:at])}
        for name, good in calm.items():
            part[name] = Seen(seen.users[:at], seen.canary[:at], good[:at].astype(float))
        if any(each.aborts for each in judge_canary(part)):
            return users
    return float("inf")


def per_call(seen: Seen, most_calls: int) -> bool:
    """The variant that one writes first: each canary call against the stable ones before it."""
    d, stable = [], list[float]()
    count = 0
    for canary, value in zip(seen.canary.tolist(), seen.values.tolist(), strict=True):
        if not canary:
            stable.append(value)
            continue
        count += 1
        if count > most_calls:
            break
        if stable:
            d.append(sum(stable) / len(stable) - value)
            stable = []
    return any(e_value(d[:end]) >= 20 for end in range(50, len(d) + 1, 50))


def main() -> None:
    """Print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--equal", type=int, default=300, help="canaries as good as the rest")
    parser.add_argument("--worse", type=int, default=200, help="canaries that are worse")
    parser.add_argument("--measures", type=int, default=4, help="quality alone is 1")
    chosen = parser.parse_args()
    print("| stable to canary | users | aborted | median canary users | counted per call |")
    print("| --- | --- | --- | --- | --- |")
    for level, users in EQUAL:
        rng = np.random.default_rng(SEED)
        worlds = [traffic(rng, users, level, level, 20_000) for _ in range(chosen.equal)]
        ends = [aborted(rng, world, chosen.measures, 2000) for world in worlds]
        naive = np.mean([per_call(world, 2000) for world in worlds[:100]])
        share = float(np.isfinite(ends).mean())
        print(
            f"| {level:.0%} to {level:.0%} | {users} | {share:.1%} | - | {naive:.0%} |", flush=True
        )
    for stable, canary in DROPS:
        rng = np.random.default_rng(SEED)
        ends = [
            aborted(rng, traffic(rng, 3000, stable, canary, 30_000), chosen.measures, None)
            for _ in range(chosen.worse)
        ]
        median = float(np.quantile(ends, 0.5, method="inverted_cdf"))
        share = float(np.isfinite(ends).mean())
        print(f"| {stable:.0%} to {canary:.0%} | 3000 | {share:.1%} | {median:.0f} | |", flush=True)


if __name__ == "__main__":
    main()
