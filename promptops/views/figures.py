"""More figures of a comparison as inline SVG: what n would settle it, quality against cost, how
outcomes lie, where they differ by tag.

Each is built from aggregates, says in its title what it shows, and is empty if the data do not
carry it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..analysis import power, words
from ..analysis.arms import Outcomes
from ..markup import esc
from . import svg
from .heatmap import heatmap
from .theme import GOOD, PALETTE, UNSURE, in_text, label_colour

if TYPE_CHECKING:
    from ..lab.comparison import Comparison

__all__ = ["distributions", "heatmap", "pareto", "power_curve", "priced", "tiles"]

_POWER = 0.8
_FEW = 200  # units, of which the t test's own law is used
_SURE = 1.645 + 3.09  # standard errors of a difference that shows 999 times in 1,000
_BINS = 20
_W, _H = svg.WIDTH, 250
_LEFT, _RIGHT, _EACH, _TALL = 8, 24, 82, 50  # of histograms: margins, an arm's height, its bars'
_INNER = _W - _LEFT - _RIGHT


def tiles(comparison: Comparison, by_tag: str = "") -> str:
    """All of them in a row of small figures; one that is clicked opens over the full width."""
    parts = (
        ("By tag, exploratory", by_tag),
        ("How many examples settle it", power_curve(comparison)),
        ("Quality against cost", pareto(comparison, "cost")),
        ("Quality against latency", pareto(comparison, "latency")),
        ("Distribution of outcomes", distributions(comparison)),
        ("By tag and scorer", heatmap(comparison)),
    )
    shown = "".join(
        "<label class='po-fig'><input type='checkbox' aria-label='enlarge:"
        f" {name}'><b>{name}</b>{picture}</label>"
        for name, picture in parts
        if picture
    )
    return f"<div class='po-figs'>{shown}</div>" if shown else ""


def power_curve(comparison: Comparison) -> str:
    """The chance to show the difference seen, by number of examples: exact for 0/1 outcomes, else
    that of the t test on as many clusters or examples, of which the exact test needs five.
    """
    figures = comparison.primary
    if figures.n < 2 or not figures.wins + figures.losses or figures.gain == 0:
        return ""
    wins, losses = sorted((figures.wins / figures.n, figures.losses / figures.n), reverse=True)
    needed = figures.n_needed if figures.gain > 0 else None
    top = max(figures.n * 1.2, min(needed or 0, 200_000) * 1.25, 40)
    size = figures.n / (figures.clusters or figures.n)  # examples in a unit of the test
    sure = max((_SURE / figures.effect) ** 2 * size if figures.effect else 0.0, 40)
    # a study far larger than it takes: show where the curve rises, and say how much larger
    if top > 8 * sure:
        top = 2 * sure
    sizes = sorted(
        {max(round(top * (step / 48) ** 2), 2) for step in range(6, 49)}
    )  # denser where it rises
    if figures.binary and figures.clusters is None and figures.repeats == 1 and top <= 20_000:
        chances = [float(value) for value in power.curve(wins, losses, sizes)]
    elif figures.effect:
        chances = [_chance(abs(figures.effect), n / size) for n in sizes]
    else:
        return ""
    seen = (
        f"{figures.n:,} examples show a difference of {words.points(abs(figures.gain))} in"
        f" {_share(sizes, chances, figures.n)}"
    )
    more = f"; {needed:,} would show it 4 times in 5" if needed and needed > figures.n else ""
    return _line_plot(sizes, chances, seen + more, figures.n)


def _share(sizes: Sequence[int], chances: Sequence[float], n: int) -> str:
    near = min(range(len(sizes)), key=lambda place: abs(sizes[place] - n))
    return f"{100 * chances[near]:.0f} of 100 such studies"


def _chance(effect: float, units: float) -> float:
    if units < power.least_disagreements():
        return 0.0
    if units <= _FEW:
        return power.power_t(effect, units)
    return 0.5 * math.erfc((1.645 - effect * math.sqrt(units)) / math.sqrt(2))


def _line_plot(sizes: Sequence[int], chances: Sequence[float], title: str, now: int) -> str:
    left, right, top, bottom = 62, 26, 32, 48
    most = sizes[-1]

    def x(n: float) -> float:
        return left + n / most * (_W - left - right)

    def y(chance: float) -> float:
        return _H - bottom - chance * (_H - top - bottom)

    out = [_tick(2, 14, "chance to show the difference", "start")]
    for step in range(6):
        chance = step / 5
        out.append(
            f"<line x1='{left}' x2='{_W - right}' y1='{y(chance):.1f}' y2='{y(chance):.1f}'"
            f" stroke='{svg.GRID}' stroke-opacity='.3'/>"
        )
        out.append(_tick(left - 8, y(chance) + 4, f"{100 * chance:.0f} %", "end"))
    out += [
        _tick(x(n), _H - bottom + 18, f"{n:,.0f}", "middle") for n in _steps(0, most, _every(most))
    ]
    out.append(
        f"<line x1='{left}' x2='{_W - right}' y1='{y(_POWER):.1f}' y2='{y(_POWER):.1f}'"
        f" stroke='{GOOD}' stroke-dasharray='4 3'/>"
    )
    beyond = now > most
    far = beyond or x(now) > _W * 0.7
    if not beyond:
        out.append(
            f"<line x1='{x(now):.1f}' x2='{x(now):.1f}' y1='{top}' y2='{_H - bottom}'"
            f" stroke='{UNSURE}' stroke-dasharray='3 2'/>"
        )
    out.append(
        f"<text x='{min(x(now), _W - right) + (-6 if far else 6):.1f}' y='{_H - bottom - 8}'"
        f" text-anchor='{'end' if far else 'start'}' font-size='11'"
        f" fill='{in_text(UNSURE)}'>{f'this study: {now:,} ▸' if beyond else 'this study'}</text>"
    )
    path = " ".join(f"{x(n):.1f},{y(chance):.1f}" for n, chance in zip(sizes, chances, strict=True))
    out.append(f"<polyline points='{path}' fill='none' stroke='{PALETTE[0]}' stroke-width='2'/>")
    out.append(_tick((left + _W - right) / 2, _H - 8, "examples", "middle"))
    return f"<p class='dim'>{esc(title)}.</p>" + svg.wrap("".join(out), _W, _H, title)


def _every(span: float) -> float:
    """A tidy step that a span holds five to twelve times."""
    power_of_ten: float = 10 ** math.floor(math.log10(span / 5))
    return next(power_of_ten * m for m in (1, 2, 5, 10) if power_of_ten * m >= span / 7)


def _steps(low: float, high: float, every: float) -> list[float]:
    return [low + place * every for place in range(int((high - low) / every + 1e-9) + 1)]


def _tick(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='11'"
        f" opacity='.75'>{esc(text)}</text>"
    )


def pareto(comparison: Comparison, measure: str) -> str:
    """Quality of both arms against what they cost, or how long they take; nothing if one of the
    four is unknown.
    """
    figures = comparison.primary
    found = next((other for other in comparison.differences if other.name == measure), None)
    if found is None or (not found.baseline and not found.candidate):
        return ""
    if not all(
        map(math.isfinite, (found.baseline, found.candidate, figures.baseline, figures.candidate))
    ):
        return ""
    arms = (
        (
            comparison.candidate.label,
            found.candidate,
            figures.candidate,
            figures.candidate_interval,
        ),
        (comparison.baseline.label, found.baseline, figures.baseline, figures.baseline_interval),
    )
    points = []
    for place, (label, x, y, interval) in enumerate(arms):
        low, high = interval or (None, None)
        beaten = any(ox <= x and oy >= y and (ox, oy) != (x, y) for _, ox, oy, _ in arms)
        points.append(svg.Point(label, x, y, low, high, label_colour(label, place), not beaten))
    scale, unit = (
        priced([point.x for point in points])
        if measure == "cost"
        else (1, "milliseconds per answer")
    )
    points = [replace(point, x=point.x * scale) for point in points]
    more = found.candidate - found.baseline
    traded = _traded(figures.gain, more, measure, *(arm[0] for arm in arms))
    title = f"{traded}; up and to the left is better"
    return f"<p class='dim'>{esc(title)}.</p>" + svg.scatter(
        points, title=title, x_axis=unit, y_axis=figures.name
    )


def priced(costs: Sequence[float]) -> tuple[int, str]:
    """(factor, unit) in which prices of an example are numbers that can be read."""
    most = max(costs)
    if most >= 0.01 or most <= 0:
        return 1, "USD an example"
    scale = 1_000 if most >= 0.00001 else 1_000_000
    return scale, f"USD for {scale:,} examples"


def _traded(gain: float, more: float, measure: str, new: str, old: str) -> str:
    """What the two points say: better or worse, at what price."""
    quality = "scores higher" if gain > 0 else "scores lower" if gain < 0 else "scores the same"
    low, high = {"cost": ("costs less", "costs more"), "latency": ("is faster", "is slower")}[
        measure
    ]
    price = (
        high
        if more > 0
        else low
        if more < 0
        else {"cost": "costs the same", "latency": "takes as long"}[measure]
    )
    return f"Against {old}, {new} {quality} and {price}"


def distributions(comparison: Comparison) -> str:
    """Histograms of scores that are not 0 or 1, and of latency, one arm above the other on one
    scale.
    """
    out = []
    candidate, baseline = comparison.candidate, comparison.baseline
    for kind, unit in (("scores", ""), ("measures", " ms")):
        a_of, b_of = getattr(baseline, kind), getattr(candidate, kind)
        for name in b_of:
            if (
                name in a_of
                and name not in ("cost", "tokens")
                and not (b_of[name].binary and a_of[name].binary)
            ):
                out.append(
                    _histograms(
                        name, unit, (baseline.label, a_of[name]), (candidate.label, b_of[name])
                    )
                )
    return "".join(out)


def _histograms(name: str, unit: str, *arms: tuple[str, Outcomes]) -> str:
    import numpy as np

    known: list[Any] = [outcomes.mean[outcomes.scored > 0] for _, outcomes in arms]
    if not all(len(values) for values in known):
        return ""
    whole = np.concatenate(known)
    low, high = (0.0, 1.0) if not unit else (0.0, float(np.quantile(whole, 0.99)) or 1.0)
    out, medians = [], []
    for place, ((label, _), values) in enumerate(zip(arms, known, strict=True)):
        middle = float(np.median(values))
        wording = f"median {words.number(middle)}{unit}"
        medians.append(f"{wording} with {label}")
        out += _histogram(place, label, wording, values, middle, (low, high))
    out += _value_axis(low, high, _EACH * len(arms) + 18)
    title = f"{name}: {', '.join(medians)}; the line is the median"
    axis = svg.folded(f"{name}, {unit.strip()}" if unit else name, 64)[0]
    height = _EACH * len(arms) + 40
    out.append(_tick(_LEFT + _INNER / 2, height - 5, axis, "middle"))
    return f"<p class='dim'>{esc(title)}.</p>" + svg.wrap("".join(out), _W, height, title)


def _histogram(
    place: int,
    label: str,
    wording: str,
    values: Any,
    median: float,
    scale: tuple[float, float],
) -> list[str]:
    """One arm's histogram on the common scale: its name, its bars, and a line at its median."""
    import numpy as np

    low, high = scale
    counts, _edges = np.histogram(np.clip(values, low, high), bins=_BINS, range=scale)
    base, most = _EACH * (place + 1) - 6, max(int(counts.max()), 1)
    lines = svg.folded(label, 40)
    shown = lines[0] + ("…" if len(lines) > 1 else "")
    out = [
        f"<text x='{_LEFT}' y='{base - _TALL - 10:.1f}' font-weight='600'>{esc(shown)}</text>",
        _tick(_W - _RIGHT, base - _TALL - 10, wording, "end"),
    ]
    for at, count in enumerate(counts.tolist()):
        bar = count / most * _TALL
        out.append(
            f"<rect x='{_LEFT + at * _INNER / _BINS:.1f}' y='{base - bar:.1f}'"
            f" width='{_INNER / _BINS - 1.5:.1f}' height='{bar:.1f}'"
            f" fill='{label_colour(label, place)}'><title>{count:,}</title></rect>"
        )
    line = _LEFT + min(max((median - low) / (high - low), 0.0), 1.0) * _INNER
    out.append(
        f"<line x1='{line:.1f}' x2='{line:.1f}' y1='{base - _TALL - 4}' y2='{base + 3}'"
        f" stroke='{svg.INK}' stroke-width='1.6'/>"
    )
    return out


def _value_axis(low: float, high: float, y: float) -> list[str]:
    """The ticks below all histograms; the outermost ones stay inside the picture."""
    out = []
    for value in _steps(low, high, _every(high - low)):
        x = _LEFT + (value - low) / (high - low) * _INNER
        anchor = "start" if x < _LEFT + 12 else "end" if x > _LEFT + _INNER - 12 else "middle"
        out.append(_tick(x, y, f"{value:.3g}", anchor))
    return out
