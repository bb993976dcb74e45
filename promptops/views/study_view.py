"""A study as people look at it: one line, or the table of its arms with intervals and the
comparison that matters.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import esc, shorten
from ..study.queries.call_figures import failures_of
from ..study.queries.outcomes import unscored_of
from . import svg
from .grid import GridColumn, breaking, measures
from .model_grid_view import of_study
from .progress_view import line
from .theme import chip, colour, page

if TYPE_CHECKING:
    from ..lab.study import Study
    from ..lab.study_review import StudyReview

__all__ = ["arm_rows", "arms_html", "headline", "html", "results", "review_html"]


def headline(study: Study) -> str:
    """What came out, in one sentence, with what failed, what could not be scored and what is of
    another model; why there is no finding yet if that is so.
    """
    try:
        wording = _alone(study) if len(study.record.arms) < 2 else study.compare().statement()
    except PromptOpsError as error:
        wording = str(error)
        wording = wording[:1].upper() + wording[1:]
    beside = (_failures(study), _unscored(study), *study.recorded.mixed())
    return " ".join(filter(None, (wording, *beside)))


def _alone(study: Study) -> str:
    rows = arm_rows(study)
    if not rows or not study.record.scorer_names:
        return "One version, no scorer."
    mean, _, n, _ = rows[0]["scores"].get(study.record.scorer_names[0]) or (None, None, 0, 0)
    if mean is None:
        scorer = study.record.scorer_names[0]
        return f"Not one answer of {rows[0]['label']} could be scored by {scorer}."
    return (
        f"{rows[0]['label']} scores {words.percent(mean)} on {study.record.scorer_names[0]} over"
        f" {words.count(n, 'example')}."
    )


def _failures(study: Study) -> str:
    """How many calls failed, by class, with the message of one of them; "" if none did."""
    rows = failures_of(study.recorded.project.store, study.id)
    if not rows:
        return ""
    classes = ", ".join(f"{count:,} {failure}" for failure, count, _ in rows)
    return (
        f"{words.count(sum(count for _, count, _ in rows), 'call')} failed ({classes}):"
        f" {shorten(rows[0][2] or 'no detail', 160)}"
    )


def _unscored(study: Study) -> str:
    """How many scores are missing, by scorer, with the most frequent reason; "" if none is."""
    own = [(scorer.name, scorer.version) for scorer in study.record.scorers]
    rows = unscored_of(study.recorded.project.store, study.id, own)
    if not rows:
        return ""
    missing: Counter[str] = Counter()
    for scorer, _, count in rows:
        missing[scorer] += count
    by_scorer = ", ".join(f"{count:,} by {scorer}" for scorer, count in missing.most_common())
    return f"Answers that could not be scored: {by_scorer} ({shorten(rows[0][1], 160)})."


def html(study: Study) -> str:
    """The cell's view of a study that is done or stopped."""
    return page(results(study))


def results(study: Study, *, texts: bool = True) -> str:
    """The comparison of the last arm with the incumbent or the first, all arms with intervals, and
    what was not asked.

    Args:
        texts: whether lost examples are shown with their texts.
    """
    rows = arm_rows(study)
    card, rest = _compared(study, texts=texts) if len(rows) > 1 else ("", "")
    # two versions are side by side in the comparison's own table
    arms = "" if card and len(rows) == 2 else _arms(study, rows)
    return _head(study) + card + rest + arms + of_study(study)


def arms_html(study: Study) -> str:
    """The arms alone: one line of the study, means with intervals, the table of scores, cost and
    latency.
    """
    return _head(study) + _arms(study, arm_rows(study))


def _head(study: Study) -> str:
    record = study.record
    size = (
        f"{words.count(len(record.arms), 'version')} × {words.count(record.dataset.n, 'example')}"
        f" of {record.dataset.name}"
    )
    if record.repeats > 1:
        size += f" × {record.repeats} repeats"
    done = (
        line(study.progress.calls, reused=study.progress.reused)
        if study.progress.calls is not None
        else ""
    )
    return (
        f"<p><b>{esc(study.name)}</b> <span class='dim'>{esc(size)} ·"
        f" {esc(study.status)}{' · ' + esc(done) if done else ''}</span></p>"
        + "".join(
            f"<p>⚠ {esc(sentence)}</p>"
            for sentence in (_unscored(study), *study.recorded.mixed())
            if sentence
        )
    )


def _arms(study: Study, rows: list[dict[str, Any]]) -> str:
    bars = [
        svg.Bar(row["label"], row["mean"], row["low"], row["high"], row["colour"], row["text"])
        for row in rows
    ]
    primary = study.record.scorer_names[0] if study.record.scorer_names else ""
    if not bars or not primary:
        return _table(study, rows)
    wording = _finding(primary, rows)
    return (
        f"<h3>{esc(wording)}</h3>"
        + svg.strip(bars, title=wording, axis=f"{primary}, mean with 95 % interval")
        + _table(study, rows)
    )


def _finding(primary: str, rows: list[dict[str, Any]]) -> str:
    """What the picture of the arms shows, in words; whether it is shown to be so is the
    comparison's to say.
    """
    known = [row for row in rows if row["mean"] is not None]
    if not known:
        return f"No answer is scored by {primary} yet"
    most = max(row["mean"] for row in known)
    best = [row["label"] for row in known if row["mean"] == most]
    if len(rows) == 1:
        return f"{best[0]} scores {words.percent(most)} on {primary}"
    if len(best) > 1:
        return (
            f"{', '.join(best[:-1])} and {best[-1]} score the same on {primary}:"
            f" {words.percent(most)}"
        )
    return f"{best[0]} scores highest on {primary}: {words.percent(most)}"


def _compared(study: Study, *, texts: bool) -> tuple[str, str]:
    """(the card that answers, everything below it) of the comparison that matters, or why it cannot
    be made.
    """
    from .answer_card import answer_card
    from .comparison_view import details

    try:
        comparison = study.compare()
        return answer_card(comparison), details(comparison, study.recorded, texts=texts)
    except PromptOpsError as error:
        return "", f"<p class='dim'>{esc(error)}</p>"


def arm_rows(study: Study) -> list[dict[str, Any]]:
    """One dict per arm: label, number, colour, mean, low, high and text of the primary, scores by
    scorer, facts.
    """
    from ..analysis.facts import mean_interval

    try:
        arms = study.recorded.arms()
    except PromptOpsError:
        return []
    rows = []
    for place, (arm, config) in enumerate(zip(arms, study.record.arms, strict=True)):
        scores = {}
        for name, outcomes in arm.scores.items():
            known = outcomes.mean[outcomes.scored > 0]
            interval = mean_interval(known, outcomes.binary and outcomes.repeats <= 1)
            scores[name] = (
                float(known.mean()) if len(known) else None,
                interval,
                len(known),
                len(outcomes.examples),
            )
        first = scores.get(study.record.scorer_names[0]) if study.record.scorer_names else None
        mean, interval, n, total = first or (None, None, 0, 0)
        text = (
            f"{words.percent(mean)} ({words.interval(*interval)})"
            if mean is not None and interval
            else "not scored"
        )
        if n < total:
            text += f", {total - n} unscored"
        low, high = interval or (None, None)
        number = config.number or place + 1
        rows.append(
            {
                "label": arm.label,
                "number": number,
                "colour": colour(number),
                "mean": mean,
                "low": low,
                "high": high,
                "text": text,
                "scores": scores,
                "facts": arm.facts,
            }
        )
    return rows


def _table(study: Study, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p class='dim'>No run is recorded yet. Run the cell again to go on.</p>"
    versions = [
        GridColumn(row["label"], number=True, shown=chip(row["label"], row["colour"]))
        for row in rows
    ]
    lines = [
        (
            f"<b>{breaking(name)}</b>" if place == 0 else breaking(name),
            [_score(row["scores"].get(name)) for row in rows],
        )
        for place, name in enumerate(study.record.scorer_names)
    ]
    facts = [row["facts"] for row in rows]
    lines += [
        (
            "cost of all runs",
            [
                esc(
                    words.money(each["cost_usd"]) if each.get("cost_usd") is not None else "unknown"
                )
                for each in facts
            ],
        ),
        ("latency, p50<wbr> / p95", [_latency(each) for each in facts]),
        ("failed calls", [_failed(each.get("failures", {})) for each in facts]),
        ("runs", [f"{each['calls']:,}" for each in facts]),
    ]
    return measures(versions, lines, caption="scores, cost and latency of each version")


def _failed(failures: dict[str, int]) -> str:
    return f"{sum(failures.values()):,}" + "".join(
        f"<span class='ci'>{count:,} {esc(name)}</span>" for name, count in failures.items()
    )


def _score(found: tuple[float | None, tuple[float, float] | None, int, int] | None) -> str:
    if found is None or found[0] is None:
        return "–"
    span = f"<span class='ci'>{esc(words.interval(*found[1]))}</span>" if found[1] else ""
    return f"{esc(words.percent(found[0]))}{span}"


def _latency(facts: dict[str, Any]) -> str:
    if facts.get("latency_p50") is None:
        return "unknown"
    middle, high = (words.duration(facts[name] / 1000) for name in ("latency_p50", "latency_p95"))
    return f"{esc(middle)} <wbr>/ {esc(high)}"


def review_html(review: StudyReview) -> str:
    """The number of labels of a study by rater and kind, and what a reviewer can do."""
    labels = review.labels()
    counted = Counter(zip(labels["rater"], labels["kind"], strict=True))
    rows = "".join(
        f"<tr><td>{esc(rater)}</td><td>{esc(kind)}</td><td class='num'>{n:,}</td></tr>"
        for (rater, kind), n in sorted(counted.items())
    )
    heads = "<tr><th>rater</th><th>kind</th><th class='num'>labels</th></tr>"
    table = f"<table>{heads}{rows}</table>" if rows else "<p class='dim'>No labels yet.</p>"
    return page(
        f"<p><b>Review of {esc(review.recorded.name)}</b></p>{table}<p class='dim'>"
        '<code>study.review.examples()</code>, <code>.label(rater="Ada")</code>,'
        " <code>.pin(id)</code>, <code>.correct(id, expected)</code></p>"
    )
