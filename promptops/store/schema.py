"""The documented tables: one list of columns from which the DuckDB tables, their comments and the
Arrow types are made.

Every table has a natural key: rows that repeat it collapse to the first. A column that is not in
its key may be null, which means unknown. Times are UTC without zone. A table or column that a later
release adds needs nothing but its line here: older files are given it when they are opened, and an
older release reads past it. A renamed column is listed in `FORMER` as well, with a new `SCHEMA`:
segments, archives, exports and DuckDB files that have the old name are read by that one mapping,
so an old name is never given to another column.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..spool.lines import SCHEMA
from .columns import Table, table_of
from .live_tables import FEEDBACK, LIVE, LIVE_HOURS, LIVE_LOSSES, LIVE_SOURCES, PURGED_CALLS
from .search_tables import CANDIDATE_EVENTS, CANDIDATES, OPTIMIZATIONS, PROPOSALS

__all__ = ["DEPLOYMENTS", "FORMER", "SCHEMA", "TABLES", "Table", "renamed"]
_RUNS = table_of(
    "runs",
    "id",
    "One recorded call of one version, example and repeat; written once, never changed.",
    """
    id text `r-` and 32 hex digits; sorts by time
    key text what makes an equal call (`k1:`...): an answered one is never paid for twice
    prompt text the prompt's name, empty for a scratch version
    version_id text content id of the version (`p1-`...)
    model text the model's name that was asked for
    endpoint text name of who answered
    role text what the call was for: model, target, judge, propose (an optimiser's), probe (a
        monitor's) or imported
    example_id text id of the dataset row; null for an ad-hoc call
    example_fingerprint text hash of the example's content, which is what pairs runs
    repeat int 0 for the first answer to the same question
    request json what was sent, secrets redacted
    output text the assistant's text; null if nothing came back
    tool_calls json the tool calls that came back
    finish_reason text why the model stopped
    failure text failure class; null if the model answered
    failure_detail text the raw code and message of the failure
    tokens_in int tokens of the prompt
    tokens_out int tokens of the answer
    tokens_cached int tokens of the prompt that the provider had cached
    cost_usd float USD of the answer, with what is known of the attempts before it; null if it is
        unknown or nothing came back
    latency_ms float milliseconds of the whole call, retries and waits included
    first_token_ms float milliseconds to the first token of a streaming call
    attempts int how many tries it took
    model_returned text the model's name that came back
    system_fingerprint text the provider's fingerprint of the system that answered
    started_at time when the call began
    cell_hash text hash of the notebook cell's source
    git_commit text commit of the project when the call began
    git_dirty bool whether the project had changes that were not committed
    tokens_cache_write int tokens of the prompt that the provider wrote into its cache
    tokens_reasoning int tokens of the answer that were spent on reasoning
    reasoning text the model's reasoning, kept apart from the answer and capped
    service_tier text the tier that served the call, as the provider named it
    imported_from text name of the file that the row came in with; null if this project made the
        call
    """,
)
_ATTEMPTS = table_of(
    "attempts",
    "run_id number",
    "One try of a run.",
    """
    run_id text the run
    number int 1 for the first try
    started_at time when the try began
    latency_ms float milliseconds of this try
    http_status int HTTP status
    failure text failure class; null if it succeeded
    detail text the raw code and message of the failure
    request_id text the provider's id of the request
    waited_ms float milliseconds waited before this try, for backoff or pace
    tokens_in int tokens of the prompt
    tokens_out int tokens of the answer
    cost_usd float USD of this try, 0 if it was certainly not billed; null if unknown, as for one
        that was sent and broke off
    """,
)
_SCORES = table_of(
    "scores",
    "run_id example_fingerprint scorer scorer_version",
    "One judgement of one run by one version of a scorer, against one content of the example.",
    """
    run_id text the run
    example_fingerprint text content of the example that it was judged against
    scorer text the scorer's name
    scorer_version text the scorer's version; another one is another score
    value float in [0, 1], higher is better; null if unscored
    passed bool whether it met the scorer's threshold; null if it has no threshold
    raw_value float the figure behind the value, in its own unit
    unit text unit of raw_value
    reason text one sentence for people
    unscored text why there is no value; null if there is one
    category text a nominal verdict
    scored_at time when it was judged
    judged_by json the models whose replies the judgement rests on, as a list of [name,
        fingerprint or null]; null if none was asked
    """,
)
_STUDY_RUNS = table_of(
    "study_runs",
    "study_id arm version_id example_id repeat run_id",
    "Which run answered which arm, example and repeat of a study; a later run may replace a failed"
    " one.",
    """
    study_id text the study
    arm text name of the arm
    version_id text content id of the arm's version
    example_id text id of the dataset row
    example_fingerprint text hash of the example's content in this study
    repeat int 0 for the first answer
    run_id text the run
    reused bool whether the run had been recorded before this study asked
    """,
)
_STUDY_EVENTS = table_of(
    "study_events",
    "study_id event_at event",
    "What happened to a study: started, stopped, finished.",
    """
    study_id text the study
    event_at time when it happened
    event text what happened
    detail text why
    """,
)
_STUDIES = table_of(
    "studies",
    "id",
    "One evaluation: versions x dataset x scorers.",
    """
    id text content id of the design (`s1-`...)
    name text for people
    prompt text the prompt's name
    design json arms, dataset, scorers, repeats, split
    created_at time when it was first run
    author text who ran it
    cell_hash text hash of the notebook cell's source
    git_commit text commit of the project
    """,
)
_BATCHES = table_of(
    "batches",
    "id",
    "One batch of questions, written before it was handed in to its provider.",
    """
    id text `b-` and hex digits of the digest of its questions; sent along to the provider if it
        has a place for it
    study_id text the study that asked first
    endpoint text name of who was asked
    api text the request form
    model text the model's name that was asked for
    keys json the questions' keys, in the order in which they were handed in
    n_questions int number of questions
    made_at time when it was about to be handed in
    """,
)
_BATCH_EVENTS = table_of(
    "batch_events",
    "batch_id event_at batch_event",
    "What became of a batch: handed_in, collected, or closed if it never reached the provider.",
    """
    batch_id text the batch
    event_at time when it happened
    batch_event text what happened
    detail text the provider's id of the batch; the keys that were collected, empty for all of
        them; why there was none
    """,
)
_VERSIONS = table_of(
    "versions",
    "id prompt",
    "One content saved under one prompt's name; prompt is empty for a scratch version.",
    """
    id text content id (`p1-`...)
    prompt text the prompt's name
    display_name text display number (v1, v2, ...)
    note text what its author wrote about it
    document json messages, variables, model, settings, tools, response format
    parents json ids of the versions that it was made from, [] if nothing is known
    created_at time when it was saved
    made_by text how it was made: null if a person wrote it, else the method (an optimiser's name)
        and its study
    """,
)
_DATASETS = table_of(
    "datasets",
    "dataset_fingerprint",
    "A set of examples as it was read.",
    """
    dataset_fingerprint text hash of its examples
    name text for people
    source text the address or file that it was read from
    n_examples int number of examples
    created_at time when it was first used
    columns json names of its columns, and what they are used for
    origin json the file that it was read from, from the project's folder; its columns' roles, and
        the line of each row
    """,
)
_EXAMPLES = table_of(
    "examples",
    "dataset_fingerprint example_id",
    "One row of a dataset.",
    """
    dataset_fingerprint text hash of the dataset's examples
    example_id text id of the row, unique in the dataset
    example_fingerprint text hash of the row's content
    position int place in the dataset, 0 first
    document json inputs, expected, split, cluster, tags, history, checks
    """,
)
_LABELS = table_of(
    "labels",
    "id",
    "One judgement of an output by a person.",
    """
    id text id of the label
    run_id text the run that was labelled
    example_id text the example, where no run was labelled
    rater text who
    kind text the question (pass, score, choice, ...)
    value float the number that was given
    label text the category that was given
    note text what the rater wrote
    labelled_at time when
    """,
)
_PLANS = table_of(
    "plans",
    "id",
    "A plan fixed before its data were seen.",
    """
    id text content id of the plan
    prompt text the prompt's name
    document json the plan
    created_at time when it was fixed
    """,
)
_VERDICTS = table_of(
    "verdicts",
    "id",
    "A policy applied to a comparison.",
    """
    id text id of the verdict
    study_id text the study
    prompt text the prompt's name
    candidate text version id of the candidate
    baseline text version id of the baseline; null for a first deployment
    dataset text fingerprint of the dataset
    split text split that was compared; null for all rows
    document json the figures and the decision; of a refusal the promotion and its reasons
    created_at time when it was decided
    env text the environment to which a promotion was refused; null if nothing was
    """,
)
TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        _RUNS,
        _ATTEMPTS,
        _SCORES,
        _STUDY_RUNS,
        _STUDY_EVENTS,
        _STUDIES,
        _BATCHES,
        _BATCH_EVENTS,
        _VERSIONS,
        _DATASETS,
        _EXAMPLES,
        _LABELS,
        _PLANS,
        _VERDICTS,
        OPTIMIZATIONS,
        CANDIDATES,
        CANDIDATE_EVENTS,
        PROPOSALS,
        LIVE,
        FEEDBACK,
        LIVE_LOSSES,
        LIVE_SOURCES,
        LIVE_HOURS,
        PURGED_CALLS,
    )
}

# table -> {name of a column in an earlier format: its name today}. Format 1 is that of release 0.1;
# it has no live calls, whose former names are of format 2 before its release.
FORMER: Mapping[str, Mapping[str, str]] = {
    "runs": {"source": "role", "fingerprint": "system_fingerprint", "cell": "cell_hash"},
    "attempts": {"status": "http_status"},
    "scores": {"measure": "raw_value", "label": "category"},
    "study_events": {"at": "event_at"},
    "studies": {"config": "design", "cell": "cell_hash"},
    "versions": {"label": "display_name"},
    "datasets": {"fingerprint": "dataset_fingerprint", "n": "n_examples"},
    "examples": {"fingerprint": "dataset_fingerprint"},
    "live": {"number": "version"},
    "live_hours": {"number": "version"},
}


def renamed(table: str, row: Mapping[str, object]) -> dict[str, object]:
    """A row or columns as written, by the names of today."""
    former = FORMER.get(table, {})
    return {former.get(name, name): value for name, value in row.items()}


# Not stored: read from the registry file whenever a query names it.
DEPLOYMENTS = table_of(
    "deployments",
    "prompt env at",
    "What every environment of the registry has served, oldest first; read from the registry file.",
    """
    prompt text the prompt's name
    env text the environment
    at time when it began to serve
    version int display number of the version
    version_id text content id of the version
    kind text promote, canary or rollback
    author text who
    reason text why
    evidence text digest of the evidence; null if there was none
    forced bool whether the gate had refused
    percent float the canary's share; null if none ran
    duration_s float seconds for which it served; null while it serves
    """,
)
