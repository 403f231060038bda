"""Rules that Python and SQL both have to know. Each has one table of cases, and both are asked it: Python's function,
and the project's own macro or model in DuckDB.

What only the page's script has beside them is compared in tests/browser.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from itertools import groupby, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pytest
import yaml

from evaluators import plan
from evaluators.energy import Reading, quality
from evaluators.energy.short_windows import countable
from evaluators.landing import bundles, parts, stops, withdrawn
from evaluators.landing.decisions import exclude, excluded_runs, include_again
from evaluators.landing.withdrawn import WITHDRAWN
from evaluators.process import repetitions
from evaluators.process.rows import is_correct
from evaluators.records import (
    COUNTABLE_FLAGS,
    EMISSIONS_NOT_KNOWN,
    KINDS,
    METHODS,
    PHASES,
    PROVIDERS,
    STOP_REASONS,
    VERDICTS,
    LeaderboardSnapshot,
    Part,
    PartEmission,
    Stop,
    Window,
    columns,
)
from evaluators.statistics import brownian, decided, gates, looks, mcnemar, paired
from evaluators.statistics.paired import Pairs
from evaluators.summary import TaskSummary
from orchestration.exports import boamps
from orchestration.gates import verdicts
from orchestration.gates.asked import Asked
from orchestration.home import DBT_PROJECT
from orchestration.report import cells, findings, palette, sections, tables
from tests.support.landing_builder import START, BuiltRun, TaskOutcome
from tests.support.parts import into_parts
from tests.support.readings import reading
from tests.support.rendered import model, rendered

Ask = Callable[..., list[tuple[Any, ...]]]
Case = dict[str, str]
SHORT_WINDOWS: list[Case] = list(
    csv.DictReader((Path(__file__).parents[1] / "short_windows.csv").open(encoding="utf-8"))
)


@pytest.fixture
def sql() -> Iterator[Ask]:
    """Answers a query with macros in it, over given tables of rows."""
    with duckdb.connect() as connection:

        def answer(query: str, **given: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
            for table, rows in given.items():
                values = ", ".join(f"({', '.join(map(_literal, row.values()))})" for row in rows)
                connection.execute(
                    f"create or replace table {table} as from (values {values}) as rows ({', '.join(rows[0])})"
                )
            return connection.execute(rendered(query)).fetchall()

        yield answer


def _literal(value: Any) -> str:
    if isinstance(value, float):
        return f"'{value}'::double"
    return "null" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def test_phases() -> None:
    assert tuple(rendered("{{ phases() }}").split(", ")) == PHASES == findings.PHASES
    assert set(palette.PHASES) == set(PHASES)


@pytest.mark.parametrize(
    ("mart", "column", "codes"),
    [
        ("dim_models", "kind", KINDS),
        ("dim_models", "provider", PROVIDERS),
        ("mart_model_efficiency", "basis", findings.BASES),
        ("mart_base_vs_finetuned_deltas", "scope", ("task", findings.SUITE, findings.KNOWN_TASKS, "table")),
        ("mart_emissions_history", "control_flag", findings.CONTROL),
        ("mart_emissions_history", "control_flag", (*palette.CONTROL_MARKS, "no_control")),
        ("mart_study_claims", "verdict_code", palette.VERDICT_MARKS),
        ("fct_task_evaluations", "stop_reason", STOP_REASONS),
        ("mart_base_vs_finetuned_deltas", "stop_reason", STOP_REASONS),
        ("mart_base_vs_finetuned_deltas", "score_verdict_code", (*VERDICTS, "not_decided_yet", "undetermined")),
    ],
)
def test_codes(mart: str, column: str, codes: Collection[str]) -> None:
    """Those that dbt accepts in a column are those that Python knows."""
    (document,) = yaml.safe_load((DBT_PROJECT / "models" / "marts" / f"{mart}.yml").read_bytes())["models"]
    (described,) = [each for each in document["columns"] if each["name"] == column]
    (accepted,) = [test["accepted_values"] for test in described["data_tests"] if "accepted_values" in test]
    assert set(accepted["arguments"]["values"]) == set(codes)


def test_how_many_repetitions_an_interval_needs() -> None:
    assert int(rendered("{{ fewest_repetitions() }}")) == sections.FEWEST_REPETITIONS == gates.FEWEST_REPETITIONS
    assert repetitions.FIRST_LOOK >= sections.FEWEST_REPETITIONS, "what is narrow enough must have an interval"


@pytest.mark.parametrize("models", [tables.FEWEST_FOR_MEDIAN - 1, tables.FEWEST_FOR_MEDIAN])
def test_how_many_models_the_interval_of_a_median_needs(sql: Ask, models: int) -> None:
    ((variance,),) = sql(f"select {{{{ log_median_variance('range(1, {models + 1})::double[]') }}}}")
    assert (variance is not None) == (models >= tables.FEWEST_FOR_MEDIAN)


def test_the_leaderboards_mark_of_unknown_emissions(sql: Ask) -> None:
    row = dict.fromkeys(column.name for column in columns(LeaderboardSnapshot))
    values = [EMISSIONS_NOT_KNOWN, 0.0, 1.0]
    found = sql(
        f"select emissions_published_kg from ({model('stg_leaderboard_snapshots')})",
        leaderboard_snapshots=[row | {"emissions_published_kg": value} for value in values],
    )
    assert [kg for (kg,) in found] == [None if value == EMISSIONS_NOT_KNOWN else value for value in values]


# Which windows count.


def _short_windows(of: Callable[[Case], str]) -> Iterator[tuple[str, list[Case]]]:
    for key, rows in groupby(sorted(SHORT_WINDOWS, key=of), key=of):
        yield key, list(rows)


def _evaluated(case: Case) -> TaskSummary:
    return TaskSummary(
        task=case["case"],
        metric="acc",
        score=0.5,
        stderr=None,
        documents=4,
        duration_s=float(case["duration_s"]),
        energy_kwh=float(case["energy_j"]) / 3.6e6 if case["energy_j"] else None,
        energy_method="modelled",
        tokens_prompt=1,
        tokens_generated=1,
        repetition=int(case["repetition"]),
        flags=tuple(filter(None, case["flags"].split(","))),
    )


@pytest.mark.parametrize(
    "rows", [pytest.param(rows, id=key) for key, rows in _short_windows(lambda case: f"{case['case']} {case['run']}")]
)
def test_windows_that_count_as_an_evaluator_has_it(rows: list[Case]) -> None:
    counted = {summary.repetition for summary in countable([_evaluated(case) for case in rows])}
    assert counted == {int(case["repetition"]) for case in rows if case["counts"] == "true"}


def test_windows_that_count_as_the_marts_have_it(sql: Ask) -> None:
    found = sql(
        "select task, run_id, repetition, {{ uncounted_reason('energy_kwh', 'quality_flags') }} is null from windows",
        windows=[
            {
                "task": case["case"],
                "run_id": case["run"],
                "repetition": case["repetition"],
                "energy_kwh": float(case["energy_j"]) / 3.6e6 if case["energy_j"] else None,
                "duration_s": float(case["duration_s"]),
                "quality_flags": case["flags"] or None,
            }
            for case in SHORT_WINDOWS
        ],
    )
    assert {row[:3]: row[3] for row in found} == {
        (case["case"], case["run"], case["repetition"]): case["counts"] == "true" for case in SHORT_WINDOWS
    }


def test_the_shortest_window() -> None:
    assert float(rendered("{{ shortest_window_s() }}")) == quality.SHORTEST_WINDOW_S


def test_windows_that_enter_a_sum(sql: Ask) -> None:
    windows = [{"flags": flags} for flags in (None, *quality.MEANINGS, "foreign_load,too_short")]
    found = sql("select flags from windows where {{ countable('1', 'flags') }} is not null", windows=windows)
    assert {flags for (flags,) in found} == set(COUNTABLE_FLAGS)


# What a doubt concerns: every component, the processor alone, or the one whose sensor it is about. These are the
# readings that cause the latter.
CONCERNS = {
    "too_short": "all",
    "meter_failed": "all",
    "negative": -1.0,
    "not_finite": math.nan,
    "absurd": 1.0,
    "stuck": 0.0,
    "foreign_load": "cpu",
    "clock_mismatch": "all",
    "gpu_mismatch": "all",
    "gpu_lost": "all",
    "gpu_slice": "all",
    "gpu_unmetered": "all",
    "shared_device": "all",
    "mixed_conditions": "all",
}


def _doubts_about_the_gpu(sql: Ask, window: Reading) -> str | None:
    row = dataclasses.asdict(window) | {"quality_flags": ",".join(window.flags) or None}
    kept = {name: value for name, value in row.items() if name.endswith(("_kwh", "_method", "quality_flags"))}
    ((doubts,),) = sql("select {{ gpu_doubts('windows') }} from windows", windows=[kept])
    return cast("str | None", doubts)


@pytest.mark.parametrize("component", ["cpu", "gpu", "ram"])
@pytest.mark.parametrize("flag", [flag for flag, concerns in CONCERNS.items() if not isinstance(concerns, str)])
def test_a_sensors_fault_concerns_its_component(sql: Ask, flag: str, component: str) -> None:
    window = quality.examine(reading(**{f"{component}_energy_kwh": CONCERNS[flag]}))
    assert window.flags == (flag,)
    assert (window.gpu_energy_kwh is None) == (component == "gpu")
    assert _doubts_about_the_gpu(sql, window) == (flag if component == "gpu" else None)


def test_other_doubts_concern_the_gpu_but_that_of_other_programs(sql: Ask) -> None:
    assert set(CONCERNS) == set(quality.MEANINGS)
    busy = quality.examine_phase(reading(foreign_cpu_s=1e9))
    assert busy.flags == ("foreign_load",)
    assert _doubts_about_the_gpu(sql, busy) is None


@pytest.mark.parametrize("flag", [flag for flag, concerns in CONCERNS.items() if concerns == "all"])
@pytest.mark.parametrize("cpu_energy_kwh", [None, 0.002])
def test_a_doubt_about_all_concerns_the_gpu(sql: Ask, flag: str, cpu_energy_kwh: float | None) -> None:
    window = reading(flags=("foreign_load", flag), cpu_energy_kwh=cpu_energy_kwh)
    assert _doubts_about_the_gpu(sql, window) == flag


@pytest.mark.parametrize(("cpu", "gpu", "ram"), [*product(METHODS, repeat=3)][::7])
def test_the_components_inside_an_energy(sql: Ask, cpu: str, gpu: str, ram: str) -> None:
    window = reading(cpu_method=cpu, gpu_method=gpu, ram_method=ram)
    ((method, has_gpu),) = sql(
        "select {{ energy_method() }}, {{ has_gpu('boundary') }} from windows",
        windows=[{"cpu_method": cpu, "gpu_method": gpu, "ram_method": ram, "boundary": window.boundary}],
    )
    assert [part.split()[0] for part in method.split(", ")] == window.boundary.split("+")
    assert has_gpu == (gpu != "absent")


@pytest.mark.parametrize("count", [5, 6, 31, 32, 40])
def test_the_interval_of_a_run_that_repeats_until_precise(sql: Ask, count: int) -> None:
    energies = [100.0 + (7 * n) % 11 for n in range(count)]
    ((above,),) = sql(
        f"""
        with student_t as (from read_csv('{DBT_PROJECT / "seeds" / "student_t.csv"}')),
        repeated as (
            select count(*) as n, var_samp(energy_kwh) / count(*) / pow(avg(energy_kwh), 2) as log_variance
            from energies
        )
        select {{{{ ratio_bound('1', 'log_variance', t_of_energy('true'), '+') }}}} - 1
        from repeated
        inner join student_t on {{{{ degrees_of_freedom('n') }}}} = student_t.degrees_of_freedom
        """,
        energies=[{"energy_kwh": energy} for energy in energies],
    )
    assert above == pytest.approx(repetitions.relative_half_width(energies), rel=1e-6)


# What a difference of paired answers is: of 100 documents, or of a handful.
PAIRS = [Pairs(100, 7, 1), Pairs(100, 20, 10), Pairs(100, 0, 0), Pairs(12032, 160, 60), Pairs(1, 1, 0), Pairs(30, 5, 5)]


@pytest.mark.parametrize("pairs", PAIRS, ids=str)
def test_a_difference_of_paired_answers(sql: Any, pairs: Pairs) -> None:
    row = {"n": pairs.asked, "gained": pairs.gained, "lost": pairs.lost}
    ((difference, variance, p_value),) = sql(
        """
        select
            {{ paired_difference('n', 'gained', 'lost') }},
            {{ paired_difference_variance('n', 'gained', 'lost') }},
            {{ exact_mcnemar('pairs.lost', 'pairs.gained') }}
        from pairs
        """,
        pairs=[row],
    )
    assert difference == pytest.approx(paired.difference(pairs))
    assert variance == pytest.approx(paired.standard_error(pairs) ** 2)
    assert p_value == pytest.approx(mcnemar.repeated_p_value([pairs], pairs.asked)), "one look at everything"


def test_the_levels_of_claims() -> None:
    quantiles = {looks.LEVEL: "{{ z() }}", looks.EQUIVALENCE_LEVEL: "{{ z_one_sided() }}"}
    for level, macro in quantiles.items():
        assert brownian.boundaries((1.0,), (level,)) == pytest.approx((float(rendered(macro)),), abs=1e-12)


# What counts as an answer.


@pytest.mark.parametrize("decided", [("out",), ("out", "in"), ("out", "in", "out"), ("out", "in", "out", "in")])
def test_the_latest_decision_about_a_run_counts(sql: Ask, tmp_path: Path, decided: tuple[str, ...]) -> None:
    built = BuiltRun(tmp_path, "base", [TaskOutcome("mc", [True], 1000.0)])
    other, run_id = built.land(), built.land()
    exclude(tmp_path, other, "why", "ann")
    for decision in decided:
        (exclude if decision == "out" else include_again)(tmp_path, run_id, "why", "ann")
    sql(f"create table stg_exclusions as from read_parquet('{tmp_path}/exclusions/*/*.parquet')")
    found = {run for (run,) in sql(f"select run_id from ({model('int_excluded_runs')})")}
    assert found == set(excluded_runs(tmp_path)) == {other, *([run_id] if decided[-1] == "out" else [])}


def test_which_answers_are_withdrawn() -> None:
    assert [tuple(row.values()) for row in _seed("withdrawn_answers")] == [
        (*key, why) for key, why in WITHDRAWN.items()
    ]


@pytest.mark.parametrize(
    ("score", "higher_is_better", "correct"),
    [
        (1.0, True, True),
        (2.0, True, True),
        (0.0, True, False),
        (0.0, False, True),
        (1.0, False, False),
        (None, True, None),
    ],
)
def test_what_a_correct_answer_is(sql: Ask, score: float | None, higher_is_better: bool, correct: bool | None) -> None:
    key = {"run_id": "r", "task": "t", "repetition": 1}
    ((found,),) = sql(
        f"select correct from ({model('int_documents')})",
        stg_samples=[key | {"score": score}],
        int_task_scores=[key | {"is_binary": True, "higher_is_better": higher_is_better}],
    )
    assert found is is_correct(score, higher_is_better=higher_is_better) is correct


@pytest.mark.parametrize(("value", "higher_is_better", "share"), [(0.25, True, 0.25), (0.25, False, 0.75)])
def test_the_share_of_correct_answers(sql: Ask, value: float, higher_is_better: bool, share: float) -> None:
    ((found,),) = sql(
        "select {{ score_share('value', '1', 'higher_is_better') }} from scores",
        scores=[{"value": value, "higher_is_better": higher_is_better}],
    )
    primary = SimpleNamespace(value=value, higher_is_better=higher_is_better)
    assert found == boamps._share(cast("Any", SimpleNamespace(primary=primary))) == share


# What the report takes apart or says in words.


RUN = {
    "machine_id": "m",
    "device": "cpu",
    "device_name": "a processor",
    "dtype": "float32",
    "engine": "hf",
    "engine_version": "1",
    "batch_policy": "1",
    "threads": 2,
    "thread_policy": None,
    "harness_version": "1",
    "meter": "codecarbon",
    "meter_version": "1",
}


def _comparability_key(sql: Ask, run: dict[str, Any]) -> str:
    ((key,),) = sql(
        """
        select {{ comparability_key(setting(), "'mini'", "'v1'") }}
        from runs, (select 'cpu+ram' as boundary) as inference, (select 'cpu modelled' as energy_method) as methods
        """,
        runs=[run],
    )
    return str(key)


def test_the_parts_of_a_comparability_key(sql: Ask) -> None:
    row = {"comparability_key": _comparability_key(sql, RUN)}
    assert (cells.machine(row), cells.method(row)) == ("m", "cpu modelled")


@pytest.mark.parametrize("changed", [{"machine_id": "n"}, {"threads": 3}, {"thread_policy": "yielding"}])
def test_conditions_that_a_plan_warns_of_part_energies(sql: Ask, changed: dict[str, Any]) -> None:
    before, after = (
        (_comparability_key(sql, run), plan._conditions(run["machine_id"], run["threads"], run["thread_policy"]))
        for run in (RUN, RUN | changed)
    )
    assert before[0] != after[0]
    assert before[1] != after[1]


def _seed(name: str) -> list[Case]:
    with (DBT_PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Which answers of a part count, and how much was asked for a verdict.


@pytest.mark.parametrize(
    ("chunks", "is_excluded", "is_wrong", "counts"),
    [
        pytest.param(((0, 4), (4, 12)), (), (), "000011111111", id="continued by another run"),
        pytest.param(((0, 8), (0, 4, 6)), (), (), "11111100", id="asked again"),
        pytest.param(((0, 8), (4, 12)), (0,), (), "----11111111", id="the older is excluded"),
        pytest.param(((0, 8), (4, 12)), (1,), (), "00000000", id="the newer is excluded"),
        pytest.param(((0, 8), (4, 12)), (), (1,), "00000000", id="the newer was answered wrongly"),
        pytest.param(((0, 8),), (0,), (), "", id="nothing is left"),
    ],
)
def test_the_newest_answer_that_counts_at_each_place(
    sql: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunks: Sequence[tuple[int, ...]],
    is_excluded: Collection[int],
    is_wrong: Collection[int],
    counts: str,
) -> None:
    architecture = "LlamaForCausalLM"  # of the builder's models
    monkeypatch.setattr(withdrawn, "WITHDRAWN", {("wrong", architecture): "it was"})
    monkeypatch.setattr(withdrawn, "_ARCHITECTURES", {architecture})
    runs: list[str] = []
    for number, (start, *ends) in enumerate(chunks):
        task = TaskOutcome("t", [True] * 12, 1.0)
        run_id = BuiltRun(tmp_path, "m", [task], at=START + timedelta(hours=number)).land()
        asked = into_parts(tmp_path, run_id, "t", ends, start=start)
        engine = {"engine": "wrong" if number in is_wrong else "right"}
        (tmp_path / run_id / bundles.RUN_FILE).write_text(json.dumps(engine))
        runs.append(run_id)
    for number in is_excluded:
        exclude(tmp_path, runs[number], "the fan failed", "ann")
    expected = {place: runs[int(run)] for place, run in enumerate(counts) if run != "-"}
    found = parts.landed(tmp_path, excluded_runs(tmp_path)).get(asked.evaluation, ())
    assert {place: part.run_id for place, part in parts.asked(found).items()} == expected

    places = sql(
        f"""
        with int_run_validity as ({model("int_run_validity")})
        select place, run_id from ({model("int_asked_places")}) order by place
        """,
        stg_parts=[
            {column.name: getattr(row, column.name) for column in columns(Part)}
            for run_id in runs
            for bundle in bundles.bundles(tmp_path, run_id)
            if bundles.places_in(bundle.name)
            for row in bundles.rows(bundle, Part)
        ],
        stg_evaluation_runs=[
            {"run_id": run_id, "engine": "wrong" if number in is_wrong else "right"}
            for number, run_id in enumerate(runs)
        ],
        stg_models=[{"run_id": run_id, "architecture": architecture} for run_id in runs],
        withdrawn_answers=[{"engine": "wrong", "architecture": architecture, "reason": "it was"}],
        int_excluded_runs=[
            {"run_id": run_id, "excluded_reason": "the fan failed"} for run_id in [*excluded_runs(tmp_path), "another"]
        ],
    )
    assert dict(places) == expected


@pytest.mark.parametrize(
    ("of_sum", "of_part", "counts"),
    [
        (None, None, True),
        ("too_short", None, True),
        ("mixed_conditions", None, True),  # of all parts together, perhaps of other runs
        ("foreign_load", None, False),
        ("foreign_load,mixed_conditions", None, False),
        (None, "stuck", False),
    ],
)
def test_which_windows_a_run_has(sql: Ask, of_sum: str | None, of_part: str | None, *, counts: bool) -> None:
    """Each energy once: that of the parts, not of their sum."""
    run = BuiltRun(Path(), "m", [])
    metered = run.emission("r", "other", "inference", energy_j=1, duration_s=9)
    other = dataclasses.replace(metered, energy_kwh=1.0, quality_flags="too_short")
    whole = dataclasses.replace(metered, task="t", quality_flags=of_sum, energy_kwh=5.0, is_sum_of_parts=True)
    values = {column.name: getattr(whole, column.name) for column in columns(Window)}
    part = PartEmission(**values | {"quality_flags": of_part, "energy_kwh": 2.0}, first_place=0, last_place=31)
    asked = [part, dataclasses.replace(part, task="u", quality_flags="too_short")]
    found = parts.metered([other, whole], asked)
    expected = [("other", 1.0), ("t", 2.0 if counts else None), ("u", 2.0)]
    assert [(w.task, w.energy_kwh if w.quality_flags in COUNTABLE_FLAGS else None) for w in found] == expected

    keys = ("run_id", "task", "phase", "repetition", "duration_s", "energy_kwh", "quality_flags", "boundary")
    names = (*keys, "cpu_method", "gpu_method", "ram_method")
    windows = sql(
        f"select task, energy_kwh from ({model('int_metered_windows')}) order by task",
        stg_task_emissions=[
            {name: getattr(window, name) for name in (*names, "is_sum_of_parts")} for window in (other, whole)
        ],
        stg_part_emissions=[
            {name: getattr(window, name) for name in (*names, "first_place", "last_place")} for window in asked
        ],
        stg_evaluation_runs=[
            {"run_id": "r", "machine_id": "m", "meter": "c", "pue": 1.0, "grid_intensity_g_per_kwh": 1.0}
        ],
        int_excluded_runs=[{"run_id": "another"}],
        int_calibrations=[
            {"machine_id": "m", "meter": "c", "boundary": "", "energy_method": "", "calibration_factor": 1.0}
        ],
    )
    assert windows == expected


@pytest.mark.parametrize(
    ("stop_reason", "verdict", "words"),
    [
        ("claim", "worse", "62 of 1,200 asked"),
        ("given_up", "no_difference_shown", "62 of 1,200 asked; the rest would show one with a chance below 10 %"),
        ("given_up", None, "62 of 1,200 asked"),
        ("all", "no_difference_shown", "62 of 1,200 asked"),
        ("budget", None, "62 of 1,200 asked; the time was up"),
        (None, "worse", None),
    ],
)
def test_how_much_was_asked_in_words(sql: Ask, stop_reason: str | None, verdict: str | None, words: str | None) -> None:
    ((found,),) = sql(
        "select {{ asked_in_words('stop_reason', 'verdict::varchar', '62', '1200') }} from given",
        given=[{"stop_reason": stop_reason, "verdict": verdict}],
    )
    assert found == words
    if stop_reason is None or words is None:
        return
    stop: dict[str, Any] = dict.fromkeys(column.name for column in columns(Stop))
    stop |= {"until": "decided", "stop_reason": stop_reason, "verdict": verdict}
    counts = {"documents_asked": 62, "documents_total": 1200, "margin_points": 2.0, "reference_model_id": "base"}
    told = stops.finding(Stop(**stop | counts))
    rest = "the rest would show one with a chance below 10 %"
    assert "62 of 1,200 documents asked" in told
    assert (rest in told) == (rest in words)
    assert f"{decided.GIVEN_UP_BELOW:.0%}" == "10%"


# What a gate decides by the marts' figures is what the marts say of them.

MARGINS = [{"quantity": "score", "margin": 2.0}, {"quantity": "energy", "margin": 1.05}]
MARGINS += [{"quantity": "joules_per_correct", "margin": 1.1}]
SEED = csv.DictReader((DBT_PROJECT / "seeds" / "student_t.csv").open(encoding="utf-8"))
STUDENT_T = [{name: float(value) for name, value in row.items()} for row in SEED]
# Columns of int_compared_sides that decide nothing here.
UNSAID = "suite as_of is_lineage tasks_compared tasks_paired judged_documents is_counted tokens_ratio "
UNSAID += "stop_p_value stop_low stop_high stop_margin full_delta_low full_delta_high documents_total "
UNSAID += "energy_kwh_estimate energy_kwh_estimate_low energy_kwh_estimate_high joules_per_correct_estimate "
UNSAID += "joules_per_correct_estimate_low joules_per_correct_estimate_high "
UNSAID += "tokens_log_variance base_tokens_out_per_request finetuned_tokens_out_per_request"
WORDS = "energy_method score_reason score_reason_code score_test_reason score_test_reason_code energy_interval_reason "
WORDS += "energy_interval_reason_code tokens_interval_reason tokens_interval_reason_code joules_per_correct_reason "
WORDS += "joules_per_correct_reason_code stop_reason stop_score_test stop_verdict_code"
# Of the sides: centre, error and p value of the score; ratio, both variances, repetitions and whether until precise.
GATED: dict[str, tuple[float, float, float, float, float, float, int, bool]] = {
    "better, less": (5.0, 1.0, 1e-4, 0.7, 1e-3, 1e-3, 5, False),
    "worse, more": (-5.0, 1.0, 1e-4, 1.5, 1e-3, 1e-3, 5, False),
    "equivalent, both": (-0.5, 0.5, 0.04, 1.01, 1e-5, 1e-4, 3, False),
    "nothing shown": (-1.5, 1.0, 0.2, 1.08, 1e-2, 1e-3, 4, False),
    "more, if not looked at": (0.0, 5.0, 1.0, 1.2, 3e-3, 1e-3, 5, False),
    "nothing, as looked at": (0.0, 5.0, 1.0, 1.2, 3e-3, 1e-3, 5, True),
    "beyond the seed": (0.0, 5.0, 1.0, 1.2, 1e-3, 1e-3, 40, False),
    "not repeated": (-5.0, 1.0, 0.05, 1.2, 0.0, 1e-3, 1, False),
}


@pytest.mark.parametrize("case", GATED)
@pytest.mark.parametrize("scope", ["task", "suite"])
def test_verdicts_of_a_gate(sql: Ask, case: str, scope: str) -> None:
    centre, error, p_value, ratio, energy_variance, documents_variance, repetitions, is_until_precise = GATED[case]
    if scope == "suite":  # whose p value is that of the difference and its error
        p_value = math.erfc(abs(centre) / error / math.sqrt(2))
    energies = {"base_energy_kwh": 1.0, "finetuned_energy_kwh": ratio, "energy_log_variance": energy_variance}
    joules = {"base_joules_per_correct": 1.0, "finetuned_joules_per_correct": ratio}
    sides: dict[str, Any] = dict.fromkeys(UNSAID.split())
    sides |= {"comparability_key": "c", "base_model_key": "b", "finetuned_model_key": "f", "scope": scope, "task": "t"}
    sides |= {"base_score": 50.0, "finetuned_score": 50 + centre, "task_centre": centre, "task_error": error}
    sides |= {"score_variance": error**2, "mcnemar_p_value": p_value, "is_binary": True, **energies, **joules}
    sides |= {"correct_log_variance": documents_variance, "correct_energy_log_variance": energy_variance}
    sides |= {"energy_repetitions": repetitions, "is_until_precise": is_until_precise, "documents": 100}
    sides |= {"documents_asked": 100, "is_complete": True}
    given = {
        "sides": [sides],
        "int_measured_efficiency": [{"comparability_key": "c", "model_key": "b", "tasks_planned": 1}],
        "int_metered_models": [{"model_key": key, "model_id": key, "kind": "", "family": ""} for key in "bf"],
        "student_t": STUDENT_T,
        "equivalence_margins": MARGINS,
    }
    figures = [name for name in verdicts.Figures.__slots__ if not name.startswith("documents_")]
    decided_elsewhere = {"score_reason", "energy_reason", "score_equivalent_within"}
    decided_elsewhere |= {"joules_per_correct_ratio_estimate", "energy_ratio_estimate"}
    columns = [name for name in figures if name not in decided_elsewhere]
    words = ", ".join(f"null::varchar as {word}" for word in WORDS.split())
    query = f"create or replace view int_compared_sides as select *, {words} from sides; "
    query += "create or replace view int_part_deltas as select * from int_compared_sides where false; "
    query += f"select score_verdict_code, verdict_code, {', '.join(columns)} from ({model('int_measured_deltas')})"
    ((score, energy, *values),) = sql(query, **given)
    known = dict.fromkeys(figures) | dict(zip(columns, values, strict=True))
    asked = Asked("f", "base", "b", "s", ("t",), 2.0, 1.1, passes_inconclusive=False)
    (judged,) = verdicts.judge([verdicts.Figures(**known, documents_asked=100, documents_total=100)], asked)
    assert judged.score_verdict == score
    assert judged.energy_verdict == (energy if repetitions >= gates.FEWEST_REPETITIONS else None)
