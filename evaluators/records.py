"""The landed rows, one frozen dataclass per raw table: the single source of the raw schema.

Belongs here: field names (with units), types, keys and what NULL means. Does not belong here: how rows are
obtained (`process`), written (`landing`) or loaded (`orchestration.warehouse.load`).

A field's annotation is its type in Parquet and in DuckDB; `X | None` means that NULL is a valid value, which means
"unknown", never zero. Run-level phases have the task `''`, so that keys are never NULL. A column that was added later
states its first schema version; it allows NULL, and is NULL in older rows.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar

SCHEMA_VERSION = 6
_SINCE_2 = {"since": 2}
_SINCE_3 = {"since": 3}
_SINCE_4 = {"since": 4}
_SINCE_5 = {"since": 5}
_SINCE_6 = {"since": 6}

PHASES = ("idle", "load", "warmup", "inference", "scoring")
# Quality flags with which a window's energy may enter a sum: a short window is inaccurate, but changes a sum little.
COUNTABLE_FLAGS = (None, "too_short")
METHODS = ("measured", "integrated", "modelled", "modelled_own_time", "absent")
KINDS = ("pretrained", "continued", "instruct", "fine_tuned", "merge", "adapter", "other")
PROVIDERS = ("official", "community", "own")
RUN_STATUSES = ("completed", "failed", "interrupted")
UNTIL = ("decided", "width")
STOP_REASONS = ("claim", "given_up", "width", "all", "budget")
VERDICTS = ("better", "worse", "equivalent", "no_difference_shown")
SCORE_TESTS = ("repeated_mcnemar", "repeated_normal")
OUTCOMES = ("PASS", "FAIL", "INCONCLUSIVE")
ENERGY_VERDICTS = ("less", "more", "equivalent", "no_difference_shown")

EMISSIONS_NOT_KNOWN = -1.0  # the leaderboard's own mark of a row whose evaluation time is missing


@dataclass(frozen=True, slots=True)
class Record:
    """Base of all records. `table` is the raw table's name, `key` its primary key."""

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Model(Record):
    """One row per run: the catalogue entry that was evaluated and how it was loaded."""

    table: ClassVar[str] = "models"
    key: ClassVar[tuple[str, ...]] = ("run_id",)

    run_id: str
    schema_version: int
    model_id: str  # the catalogue's name
    model_key: str  # hash of revision, precision, chat template, adapter, and of files that no revision covers
    source: str  # hub, path, package or recipe
    source_ref: str  # repository, folder, package==version or recipe
    revision: str  # commit sha of the hub, or sha-256 over the local weights
    adapter_revision: str | None  # sha-256 over the adapter's weights, NULL without an adapter
    base_model: str | None  # model_id of the base, NULL for a model without one
    family: str
    provider: str  # PROVIDERS
    kind: str  # KINDS
    architecture: str | None
    params_b: float | None  # billions, counted in the loaded weights; NULL where loading failed
    params_stated_b: float | None  # billions, as stated in the catalogue
    active_params_b: float | None  # billions per token of a mixture of experts; NULL for dense models
    quantization: str | None
    dtype: str
    chat_template_applied: bool
    chat_template_hash: str | None
    tokenizer_hash: str | None


@dataclass(frozen=True, slots=True)
class EvaluationRun(Record):
    """One row per run: one evaluator process for one model and one suite on one machine."""

    table: ClassVar[str] = "evaluation_runs"
    key: ClassVar[tuple[str, ...]] = ("run_id",)

    run_id: str
    schema_version: int
    model_id: str
    model_key: str | None  # NULL where the run ended before the model was known
    suite: str
    suite_version: str  # hash over what the suite asks
    plan_key: str  # hash over all that the planner knows; it decides whether the entry is due
    status: str  # RUN_STATUSES
    reason: str | None  # why it failed or was interrupted, NULL when completed
    started_at: datetime
    ended_at: datetime | None  # NULL where the process ended without a message
    duration_s: float | None
    tasks_planned: int | None
    tasks_evaluated: int
    tasks_reused: int | None  # landed earlier with the same fingerprint
    tasks_failed: int
    task_evaluations_json: str | None  # {task: {evaluation, weight}} of all planned tasks
    task_failures_json: str | None  # {task: reason}
    machine_id: str
    host: str
    operating_system: str
    cpu_model: str
    cpu_count: int
    ram_total_gb: float
    threads: int
    thread_policy: str | None = field(metadata=_SINCE_5)  # how they wait for each other: yielding; NULL: unknown
    device: str  # cpu, cuda:0
    device_name: str
    device_uuid: str | None
    driver_version: str | None
    engine: str  # the engine that answered; where the catalogue asks for another, engine_reason says why
    engine_reason: str | None = field(metadata=_SINCE_2)  # NULL where the catalogue's engine answered
    engine_version: str
    batch_policy: str
    dtype: str
    meter: str
    meter_version: str
    harness_version: str
    package_versions_json: str
    seed: int
    is_control: bool | None = field(metadata=_SINCE_3)  # the night's control workload
    order_seed: str | None = field(metadata=_SINCE_3)  # the seed that shuffled the due models; NULL for a single run
    order_position: int | None = field(metadata=_SINCE_3)  # the model's place in that order, from 1
    until_precise: float | None = field(metadata=_SINCE_4)  # the half-width, as a share of the mean, to repeat until
    project_git_sha: str | None
    command: str
    country_iso_code: str
    grid_region: str | None
    grid_intensity_g_per_kwh: float
    grid_source: str
    pue: float


@dataclass(frozen=True, slots=True)
class TaskResult(Record):
    """One row per run, task, repetition, metric and filter: a score as lm-eval computed it."""

    table: ClassVar[str] = "task_results"
    key: ClassVar[tuple[str, ...]] = ("run_id", "task", "repetition", "metric", "filter")

    run_id: str
    task: str
    repetition: int
    metric: str
    filter: str
    schema_version: int
    value: float
    stderr: float | None  # NULL where lm-eval has no estimate
    higher_is_better: bool
    is_primary: bool  # the metric that the suite names as the task's score
    is_binary: bool  # the metric says correct or not for each document
    n_documents: int
    suite: str
    chance: float  # score by guessing: the suite's, else 1 / number of choices, as in the fingerprint
    is_chance_stated: bool | None = field(metadata=_SINCE_4)  # by the suite; where not, the metric decides
    fingerprint: str  # sha-256 over everything that can change the task's scores
    comparison_key: str  # the fingerprint's model-independent part: equal keys, comparable scores
    task_hash: str
    task_version: str
    output_type: str
    num_fewshot: int
    documents_limit: int | None  # NULL: all documents


@dataclass(frozen=True, slots=True)
class Window(Record):
    """The energy of one window, component by component: the columns that whole evaluations and parts have in common."""

    run_id: str
    task: str
    phase: str  # PHASES
    repetition: int
    schema_version: int
    started_at: datetime
    ended_at: datetime
    duration_s: float  # monotonic clock
    energy_kwh: float | None
    cpu_energy_kwh: float | None
    gpu_energy_kwh: float | None
    ram_energy_kwh: float | None
    cpu_method: str  # METHODS
    gpu_method: str
    ram_method: str
    boundary: str  # the components inside energy_kwh, such as cpu+ram or gpu+cpu+ram; none where the meter covers none
    requests: int | None  # NULL outside inference, as are the tokens
    tokens_prompt: int | None  # tokens of all requests' prompts, as the engine was asked to read them
    tokens_generated: int | None
    # The tokens forwarded for it; NULL where the engine does not know them.
    tokens_unshared: int | None = field(metadata=_SINCE_2)  # what lm-eval's `hf` would forward, without its padding
    tokens_computed: int | None = field(metadata=_SINCE_2)  # what the engine forwarded, padding included
    tokens_padding: int | None = field(metadata=_SINCE_2)  # of tokens_computed, those that no request needs
    tokens_shared: int | None = field(metadata=_SINCE_2)  # served from the cache: unshared - (computed - padding)
    tokens_distinct: int | None = field(metadata=_SINCE_2)  # the minimum: see docs/measurement.md
    own_cpu_s: float | None = field(metadata=_SINCE_3)  # CPU time of the evaluator in the window; NULL: unknown
    foreign_cpu_s: float | None = field(metadata=_SINCE_3)  # CPU time of every other process of the machine
    foreign_programs: str | None = field(metadata=_SINCE_5)  # that took most of it, with shares of the machine's time
    # The GPU's state at the window's end, the worst of a phase's windows; NULL without a GPU, or where it is unknown.
    gpu_temperature_c: float | None = field(metadata=_SINCE_3)
    gpu_sm_clock_mhz: float | None = field(metadata=_SINCE_3)
    gpu_power_limit_w: float | None = field(metadata=_SINCE_3)
    gpu_throttled: bool | None = field(metadata=_SINCE_3)  # by heat or by the board, not by its power limit
    quality_flags: str | None  # comma-separated, NULL when nothing is wrong
    quality_note: str | None  # what the flags mean for this row, in words


@dataclass(frozen=True, slots=True)
class TaskEmission(Window):
    """One row per run, task, phase and repetition: the energy of one window, component by component.

    Run-level phases (idle, load, warmup) have the task ''. Energies are gross. `energy_kwh` is NULL when a
    component inside the boundary is.
    """

    table: ClassVar[str] = "task_emissions"
    key: ClassVar[tuple[str, ...]] = ("run_id", "task", "phase", "repetition")

    # The sum over an evaluation's parts, which several runs may have asked, of the whole evaluation or, beside a stop,
    # of what was asked by then: in the energy of a run or a night, part_emissions count instead.
    is_sum_of_parts: bool | None = field(metadata=_SINCE_6)


@dataclass(frozen=True, slots=True)
class Sample(Record):
    """One row per run, task, repetition and document: what was asked, counted and answered."""

    table: ClassVar[str] = "samples"
    key: ClassVar[tuple[str, ...]] = ("run_id", "task", "repetition", "document_id")

    run_id: str
    task: str
    repetition: int
    document_id: int
    schema_version: int
    document_hash: str
    prompt_hash: str
    target_hash: str
    metric: str  # the task's primary metric
    filter: str
    score: float | None  # the primary metric for this document, NULL where it is not a single number
    correct: bool | None  # NULL where the metric is not binary for this model; marts decide over all models
    requests: int
    tokens_prompt: int
    tokens_generated: int
    characters_generated: int | None  # NULL for tasks that generate nothing
    target: str
    answer: str


@dataclass(frozen=True, slots=True)
class Part(Record):
    """One row per run, task, repetition and part: some documents of a task, and which question they are a part of.

    Documents have places in the order in which the model is asked them, from 0. A part is not a task evaluation: it has
    no score, and only the places of all documents together make one.
    """

    table: ClassVar[str] = "parts"
    key: ClassVar[tuple[str, ...]] = ("run_id", "task", "repetition", "first_place")

    run_id: str
    task: str
    repetition: int
    first_place: int
    last_place: int
    schema_version: int
    documents_total: int  # of the whole question
    suite: str
    metric: str  # the task's primary metric
    filter: str
    higher_is_better: bool
    is_binary: bool  # the metric says correct or not for each document asked so far
    chance: float  # score by guessing, as in task_results
    is_chance_stated: bool
    fingerprint: str  # of the whole question, as in task_results
    comparison_key: str
    task_hash: str
    task_version: str
    output_type: str
    num_fewshot: int


@dataclass(frozen=True, slots=True)
class PartSample(Sample):
    """One row per run, task, repetition and document of a part: what was asked, counted and answered."""

    table: ClassVar[str] = "part_samples"
    key: ClassVar[tuple[str, ...]] = ("run_id", "task", "repetition", "document_id")

    place: int  # in the order in which the model is asked the documents, from 0
    metrics_json: (
        str  # {filter: {metric: what lm-eval has for the document}}: all that the whole question's scores need
    )


@dataclass(frozen=True, slots=True)
class PartEmission(Window):
    """One row per run, task, phase, repetition and part: the energy of one window. Energies are gross."""

    table: ClassVar[str] = "part_emissions"
    key: ClassVar[tuple[str, ...]] = ("run_id", "task", "phase", "repetition", "first_place")

    first_place: int
    last_place: int


@dataclass(frozen=True, slots=True)
class Stop(Record):
    """One row per run, repetition and question: why no more of it was asked, and what was known then.

    A question is a task, or a whole suite with the task ''; a suite's has a row for each of its tasks beside its own,
    with the suite's reason and what is known of the task. Differences are the model's score minus the reference's, in
    points. P value and interval are valid although the answers were looked at again and again.
    """

    table: ClassVar[str] = "stops"
    key: ClassVar[tuple[str, ...]] = ("run_id", "task", "repetition")

    run_id: str
    task: str
    repetition: int
    schema_version: int
    suite: str
    tasks_json: str  # {task: {fingerprint, weight}} of the tasks that were judged together
    until: str  # UNTIL
    width_points: float | None  # the half-width that was asked for; NULL for decided
    margin_points: float | None  # within which two scores are equivalent; NULL for a width
    compare_with: str | None  # as the suite says: base, last or a model's name; NULL for a width without a reference
    reference_model_id: str | None
    reference_json: str | None  # {task: {evaluation, run_id}}: the reference's bundles and their runs
    stop_reason: str  # STOP_REASONS
    documents_asked: int
    documents_total: int
    verdict: str | None  # VERDICTS; NULL for a width, or where it is not decided yet
    claim_chance: float | None  # that the rest would bring a claim; NULL where the last look brought one
    score_test: str | None  # SCORE_TESTS; NULL for a width
    p_value: float | None
    low: float | None  # of the difference's 95 % interval; for a width, of the whole question's score, both in points
    high: float | None
    full_low: float | None  # of the 95 % interval of the full run's difference, in points; NULL without a reference
    full_high: float | None  # and for a suite
    looks_json: str  # [{task: {asked, …}}]: the counts at each look, which decided


@dataclass(frozen=True, slots=True)
class LeaderboardSnapshot(Record):
    """One row per state of the Open LLM Leaderboard and evaluation in it, as published in its table.

    A score is `x`, on the leaderboard's normalised scale of 0 to 100; `x_raw` is the same before normalisation, 0 to 1.
    """

    table: ClassVar[str] = "leaderboard_snapshots"
    key: ClassVar[tuple[str, ...]] = ("snapshot_date", "eval_name")

    snapshot_date: date  # the state's day, UTC
    eval_name: str
    schema_version: int
    source: str  # the file's name, or the hub's repository@revision
    precision: str | None
    model_type: str | None
    model_type_symbol: str | None
    weight_type: str | None
    architecture: str | None
    fullname: str  # the model's name on the hub
    model_sha: str | None
    average: float | None  # mean of the six scores
    hub_license: str | None
    hub_likes: int | None
    params_b: float | None  # billions; zero or negative where the leaderboard does not know them
    available_on_hub: bool | None
    moe: bool | None
    flagged: bool | None
    chat_template: bool | None
    emissions_published_kg: float | None  # EMISSIONS_NOT_KNOWN is kept; the sum over repeated evaluations
    ifeval_raw: float | None
    ifeval: float | None
    bbh_raw: float | None
    bbh: float | None
    math_lvl_5_raw: float | None
    math_lvl_5: float | None
    gpqa_raw: float | None
    gpqa: float | None
    musr_raw: float | None
    musr: float | None
    mmlu_pro_raw: float | None
    mmlu_pro: float | None
    merged: bool | None
    official_providers: bool | None
    upload_to_hub_date: date | None
    submission_date: date | None
    generation: int | None
    base_model: str | None
    model_html: str | None  # how the leaderboard's page shows the name, NULL where the state lacks it


@dataclass(frozen=True, slots=True)
class Exclusion(Record):
    """One row per decision about a run: it is excluded from every figure, or included again. The latest counts."""

    table: ClassVar[str] = "exclusions"
    key: ClassVar[tuple[str, ...]] = ("exclusion_id",)

    exclusion_id: str  # a ULID: sorts by time
    schema_version: int
    run_id: str  # the run that the decision is about
    is_excluded: bool  # False: an earlier exclusion is undone
    reason: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Calibration(Record):
    """One row per calibration: a wall meter's figure for a run that was metered. A machine's latest one counts.

    It applies to energies metered in the same way: same meter, boundary and methods.
    """

    table: ClassVar[str] = "calibrations"
    key: ClassVar[tuple[str, ...]] = ("calibration_id",)

    calibration_id: str  # a ULID: sorts by time
    schema_version: int
    run_id: str  # the run that both meters measured
    machine_id: str
    meter: str
    boundary: str
    cpu_method: str  # METHODS
    gpu_method: str
    ram_method: str
    measured_kwh: float  # by the wall meter, from the run's start to its end
    metered_kwh: float  # the sum over all windows of the run
    factor: float  # measured_kwh / metered_kwh
    coverage: float  # share of the run's duration that its windows cover
    calibrated_by: str
    calibrated_at: datetime


@dataclass(frozen=True, slots=True)
class Gate(Record):
    """One row per gate and question: is a candidate worse than a reference, or does it cost more?

    A question is a task, or the whole suite with the task ''. It is landed before it is answered, because the marts
    compare the two models for that reason.
    """

    table: ClassVar[str] = "gates"
    key: ClassVar[tuple[str, ...]] = ("gate_id", "task")

    gate_id: str  # a ULID: sorts by time
    task: str
    schema_version: int
    suite: str
    candidate_model_id: str
    candidate_model_key: str
    compare_with: str  # as asked: base, last or a model's name
    reference_model_id: str
    reference_model_key: str
    score_margin_points: float  # within which two scores are equivalent
    energy_margin: float | None  # the largest ratio of energies per correct answer that is equivalent; NULL: not judged
    passes_inconclusive: bool  # what is not shown lets the candidate through
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class GateVerdict(Record):
    """One row per decided gate and question: the figures that decided, and what they showed.

    Differences are the candidate's score minus the reference's, in points; ratios the candidate's energy per correct
    answer over the reference's. A gate that could not be decided has none.
    """

    table: ClassVar[str] = "gate_verdicts"
    key: ClassVar[tuple[str, ...]] = ("gate_id", "task")

    gate_id: str
    task: str
    schema_version: int
    outcome: str  # OUTCOMES; of the gate, all its questions together
    score_outcome: str  # OUTCOMES
    score_verdict: str | None  # VERDICTS; NULL where score_reason says why there is none
    energy_outcome: str | None  # OUTCOMES; NULL: not judged
    energy_verdict: str | None  # ENERGY_VERDICTS; NULL where energy_reason says why there is none, or not judged
    further_documents: int | None  # that would decide the score if the difference stays; NULL: decided, or not known
    further_repetitions: int | None  # that would decide the energy if ratio and spread stay; NULL likewise
    comparability_key: str
    documents_asked: int
    documents_total: int
    stop_reason: str | None  # STOP_REASONS; NULL where nobody looked at the answers before all were there
    score_delta: float | None
    score_delta_low: float | None
    score_delta_high: float | None
    score_tested_by: str | None  # the marts' name of the test
    score_p_value: float | None
    score_equivalent_within: float | None  # points; what looking again and again showed, NULL where nobody looked
    score_reason: str | None
    joules_per_correct_ratio: float | None
    joules_per_correct_ratio_low: float | None
    joules_per_correct_ratio_high: float | None
    joules_per_correct_ratio_documents_low: float | None  # from the documents alone, as if the energy were exact
    joules_per_correct_ratio_documents_high: float | None
    joules_per_correct_ratio_estimate: float | None  # from a part, which no verdict rests on; NULL for a suite
    energy_ratio_estimate: float | None  # the same of the energy
    energy_repetitions: int | None  # of the side with fewer
    is_until_precise: bool | None  # repeated until precise, so that the interval is wider
    energy_reason: str | None
    decided_at: datetime


RECORDS: tuple[type[Record], ...] = (
    Model,
    EvaluationRun,
    TaskResult,
    TaskEmission,
    Sample,
    Part,
    PartSample,
    PartEmission,
    Stop,
    LeaderboardSnapshot,
    Exclusion,
    Calibration,
    Gate,
    GateVerdict,
)
BY_TABLE: dict[str, type[Record]] = {record.table: record for record in RECORDS}


@dataclass(frozen=True, slots=True)
class Column:
    """A record's field as a table's column."""

    name: str
    type: type
    nullable: bool
    since: int  # the first schema version that has it


_COLUMNS: dict[type[Record], tuple[Column, ...]] = {}


def columns(record: type[Record]) -> tuple[Column, ...]:
    """The record's columns, in order. Raises TypeError for an annotation that fits no column."""
    if record not in _COLUMNS:  # needed several times for each landed bundle
        hints = typing.get_type_hints(record)
        _COLUMNS[record] = tuple(
            _column(f.name, hints[f.name], f.metadata.get("since", 1)) for f in dataclasses.fields(record)
        )
    return _COLUMNS[record]


def _column(name: str, hint: Any, since: int) -> Column:
    if isinstance(hint, types.UnionType):
        arguments = [a for a in typing.get_args(hint) if a is not type(None)]
        if len(arguments) != 1:
            raise TypeError(f"{name}: {hint} is more than one type and NULL")
        return Column(name, arguments[0], nullable=True, since=since)
    return Column(name, hint, nullable=False, since=since)
