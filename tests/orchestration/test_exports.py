"""The exports, read by those whose formats they are."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
from codecarbon.output_methods.boamps import BoAmpsReport
from codecarbon.output_methods.emissions_data import EmissionsData
from codecarbon.output_methods.file import FileOutput
from lm_eval.loggers import EvaluationTracker
from lm_eval.utils import get_latest_filename, get_results_filenames, make_table

from orchestration import cli
from orchestration.exports import boamps, codecarbon, published_runs
from orchestration.home import Home

SCHEMAS = Path(__file__).parent.parent / "schemas"

# What BoAmps' schemas (github.com/Boavizta/BoAmps, model/ at 01f4c8e and 4080193) require and limit, in our words.
BOAMPS = {
    "required": ["task", "measures", "infrastructure"],
    "properties": {
        "header": {"required": ["reportDatetime"]},
        "task": {
            "required": ["taskStage", "taskFamily", "algorithms", "dataset"],
            "properties": {
                "nbRequest": {"type": "number"},
                "measuredAccuracy": {"type": "number", "minimum": 0, "maximum": 1},
                "algorithms": {"minItems": 1, "items": {"properties": {"parametersNumber": {"type": "number"}}}},
                "dataset": {
                    "minItems": 1,
                    "items": {
                        "required": ["dataUsage", "dataType"],
                        "properties": {"dataUsage": {"enum": ["input", "output"]}, "dataType": {"const": "token"}},
                    },
                },
            },
        },
        "measures": {
            "minItems": 1,
            "items": {
                "required": ["measurementMethod", "powerConsumption"],
                "properties": {"powerConsumption": {"type": "number"}, "measurementDuration": {"type": "number"}},
            },
        },
        "system": {"required": ["os"]},
        "infrastructure": {
            "required": ["infraType", "components"],
            "properties": {
                "infraType": {"enum": ["publicCloud", "privateCloud", "onPremise", "other"]},
                "components": {
                    "minItems": 1,
                    "items": {
                        "required": ["componentType", "nbComponent"],
                        "properties": {"nbComponent": {"type": "integer"}, "memorySize": {"type": "integer"}},
                    },
                },
            },
        },
        "environment": {"required": ["country"], "properties": {"powerSourceCarbonIntensity": {"type": "number"}}},
        "quality": {"enum": ["high", "medium", "low"]},
    },
}

Export = Callable[..., dict[str, Any]]


@pytest.fixture
def home(homes: dict[str, Home], tmp_path: Path) -> Home:
    """Two nights of invented runs, one of which is excluded, published with their landing."""
    decided = homes["decided"]
    home = Home(tmp_path / "a home")
    home.path.mkdir()
    home.published.mkdir()
    home.current.symlink_to(decided.published.resolve())
    home.landing.symlink_to(decided.path.parent / "landing")
    return home


@pytest.fixture
def marts(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(home.marts, read_only=True) as connection:
        yield connection


@pytest.fixture
def export(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Export:
    """Runs `evalwatt export --json` into `tmp_path / "out"`; returns its answer."""

    def run(form: str, *arguments: str) -> dict[str, Any]:
        command = ["export", "--format", form, "--home", str(home.path), "--json", str(tmp_path / "out"), *arguments]
        monkeypatch.setattr(sys, "argv", ["evalwatt", *command])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        assert ended.value.code == 0, captured.err
        answer: dict[str, Any] = json.loads(captured.out)
        return answer

    monkeypatch.setenv("EVALWATT_HOME", str(home.path))
    return run


def _documents(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(Path(file).read_text()) for file in answer["files"]]


def _evaluations(marts: duckdb.DuckDBPyConnection, condition: str) -> list[tuple[Any, ...]]:
    query = "select run_id, task, repetition, score, energy_kwh, energy_reason from marts.fct_task_evaluations"
    return marts.execute(f"{query} where {condition} order by all").fetchall()


def test_lm_eval_reads_its_results(export: Export, marts: duckdb.DuckDBPyConnection) -> None:
    answer = export("lm-eval", "--model", "tuned")
    documents = {document["evalwatt"]["suite"]: document for document in _documents(answer)}
    assert set(documents) == {"mini", "repeated"}
    mini = documents["mini"]
    table = make_table(mini)
    for row in (
        "|gen |      1|none  |     0|acc     |↑  |0.8|±  |   N/A|",
        "|mc  |      1|none  |     0|acc     |↑  |0.5|",
    ):
        assert row.replace(" ", "") in table.replace(" ", "")
    assert mini["n-samples"] == {"gen": {"original": 10, "effective": 10}, "mc": {"original": 10, "effective": 10}}
    assert (mini["model_name"], mini["lm_eval_version"]) == ("tuned", "0.4.13")
    measured = {
        (row["task"], row["repetition"]): row["energy_kwh"]
        for document in documents.values()
        for row in document["evalwatt"]["energy"]
    }
    rows = _evaluations(marts, "model_id = 'tuned' and is_valid")
    assert measured == {(task, repetition): energy for _, task, repetition, _, energy, _ in rows}


def test_lm_evals_tools_find_the_newest_results(export: Export) -> None:
    files = export("lm-eval", "--model", "base")["files"]
    found = get_results_filenames(files)
    assert sorted(found) == sorted(files)
    newest = json.loads(Path(get_latest_filename(found)).read_text())
    assert newest["date"] == max(json.loads(Path(file).read_text())["date"] for file in files)


def test_task_hashes_are_lm_evals(export: Export, marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (document,) = (d for d in _documents(export("lm-eval", "--model", "tuned")) if d["evalwatt"]["suite"] == "mini")
    query = """
        select document_hash as doc_hash, prompt_hash, target_hash from marts.fct_samples
        where run_id = ? and task = 'mc' order by document_id
    """
    names = ("doc_hash", "prompt_hash", "target_hash")
    samples = [
        dict(zip(names, row, strict=True)) for row in marts.execute(query, [document["evalwatt"]["run_id"]]).fetchall()
    ]
    tracker = EvaluationTracker(output_path=str(tmp_path / "theirs.json"))
    tracker.save_results_aggregated({}, {"mc": samples})
    (theirs,) = tmp_path.glob("theirs_*.json")
    assert document["task_hashes"]["mc"] == json.loads(theirs.read_text())["task_hashes"]["mc"]


def test_every_eval_ever_accepts_its_records(export: Export, marts: duckdb.DuckDBPyConnection) -> None:
    schema = json.loads((SCHEMAS / "every_eval_ever_0.3.0.json").read_text())
    documents = _documents(export("every-eval-ever"))
    for document in documents:
        jsonschema.validate(document, schema, cls=jsonschema.Draft7Validator)
    results = {
        (
            document["source_metadata"]["additional_details"]["run_id"],
            *result["evaluation_result_id"].split("/"),
        ): result
        for document in documents
        for result in document["evaluation_results"]
    }
    rows = _evaluations(marts, "is_valid")
    assert len(results) == 2 * len(rows)  # acc and acc_norm
    for run_id, task, repetition, score, energy, reason in rows:
        result = results[run_id, task, "acc", "none", str(repetition)]
        assert result["score_details"]["score"] == score
        details = result["score_details"]["details"]
        assert details["energy_method"] == "cpu modelled, ram modelled"
        if reason is None:
            assert float(details["energy_kwh"]) == energy
        else:
            assert (details.get("energy_kwh"), details["energy_reason"]) == (None, reason)


def test_boamps_reports_follow_the_schema_and_say_that_they_are_modelled(
    export: Export, marts: duckdb.DuckDBPyConnection
) -> None:
    answer = export("boamps")
    documents = _documents(answer)
    for document in documents:
        jsonschema.validate(document, BOAMPS)
        assert BoAmpsReport.from_dict(document).to_dict() == document  # raises for a field that is none of BoAmps'
        assert document["quality"] == "low"
        (measure,) = document["measures"]
        assert (measure["measurementMethod"], measure["cpuTrackingMode"]) == (
            "replay (cpu modelled, ram modelled)",
            "modelled",
        )
        assert "gpuTrackingMode" not in measure
        assert {component["componentType"] for component in document["infrastructure"]["components"]} == {"cpu", "ram"}
    energies = sorted(document["measures"][0]["powerConsumption"] for document in documents)
    assert energies == sorted(row[4] for row in _evaluations(marts, "is_valid and energy_reason is null"))
    unknown = _evaluations(marts, "is_valid and energy_reason is not null")
    reasons = [item["reason"] for item in answer["left_out"] if item["what"].startswith("mc of run")]
    assert reasons == ["its energy is not known (flagged too_short), and a report requires one"] * len(unknown)


def test_codecarbon_reads_and_continues_its_file(
    export: Export, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (file,) = export("codecarbon", "--model", "tuned")["files"]
    with open(file, newline="") as text:
        rows = {row["experiment_id"]: row for row in csv.DictReader(text)}
    assert set(rows) == {f"{suite} (cpu modelled, ram modelled)" for suite in ("mini", "repeated")}
    repeated, mini = rows.values()  # as they ran
    # 10 W for 10 s of idling, load, warm-up, two tasks and their scoring; 1.5 x 400 g/kWh
    joules = 100 + 200 + 100 + 1000 + 500 + 2 * 50
    assert float(mini["energy_consumed"]) == pytest.approx(joules / 3.6e6)
    parts = [float(mini[f"{part}_energy"]) for part in ("cpu", "ram")]
    assert parts == pytest.approx([0.9 * joules / 3.6e6, 0.1 * joules / 3.6e6])
    assert float(mini["emissions"]) == pytest.approx(joules / 3.6e6 * 0.6)
    assert float(mini["cpu_power"]) == pytest.approx(0.9 * joules / float(mini["duration"]))
    assert (mini["gpu_energy"], mini["water_consumed"], mini["on_cloud"]) == ("", "", "")
    again: dict[str, Any] = {name: value or None for name, value in repeated.items()}
    with caplog.at_level(logging.WARNING, logger="codecarbon"):
        FileOutput("emissions.csv", str(Path(file).parent), on_csv_write="update").out(EmissionsData(**again), None)
    assert [path.name for path in Path(file).parent.iterdir()] == ["emissions.csv"]  # none was set aside as foreign
    with open(file, newline="") as text:
        assert [row["run_id"] for row in csv.DictReader(text)] == [mini["run_id"], repeated["run_id"]]


def test_sums_with_an_unknown_window_are_empty_and_named(home: Home, marts: duckdb.DuckDBPyConnection) -> None:
    run = next(
        item for item in published_runs.read(marts, home.landing, "tuned") if isinstance(item, published_runs.Run)
    )
    doubtful = dataclasses.replace(run.windows[0], quality_flags="foreign_load")
    run = dataclasses.replace(
        run,
        windows=(doubtful, *run.windows[1:]),
        energy_kwh=None,
        emissions_kg=None,
        energy_reason="idle: flagged foreign_load",
    )
    left, file = codecarbon.files([run], datetime.now(UTC))
    assert left == published_runs.Left(f"the energy of run {run.run.run_id}", "idle: flagged foreign_load")
    assert isinstance(file, published_runs.File)
    (row,) = csv.DictReader(io.StringIO(file.text))
    unknown = ("energy_consumed", "cpu_energy", "gpu_energy", "ram_energy", "cpu_power", "emissions", "emissions_rate")
    assert {row[name] for name in unknown} == {""}


def test_an_unknown_model_is_wrong_use_with_the_known_ones(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["export", "--format", "lm-eval", "--home", str(home.path), "--model", "tunde", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["evalwatt", *command])
    monkeypatch.setenv("EVALWATT_HOME", str(home.path))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capfd.readouterr().err == "Error: no model 'tunde' is published; did you mean tuned?\n"
    assert not (tmp_path / "out").exists()


def test_an_excluded_run_is_left_out_and_named(export: Export, marts: duckdb.DuckDBPyConnection) -> None:
    ((excluded,),) = marts.execute(
        "select distinct run_id from marts.fct_task_evaluations where not is_valid"
    ).fetchall()
    answer = export("lm-eval")
    left = {item["what"]: item["reason"] for item in answer["left_out"]}
    assert "the fan failed" in left[f"run {excluded}"]
    assert not any(excluded in file for file in answer["files"])


def test_the_shell_completes_published_and_landed_runs(
    home: Home, marts: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = [run_id for (run_id,) in marts.execute("select run_id from marts.fct_evaluation_runs").fetchall()]
    evaluated = {run_id for run_id, *_ in _evaluations(marts, "true")}
    assert evaluated < set(runs)
    monkeypatch.setenv("EVALWATT_HOME", str(home.path))
    monkeypatch.setenv("_EVALWATT_COMPLETE", "bash_complete")
    monkeypatch.setattr(sys, "argv", ["evalwatt"])
    for words, expected in ((["export", "--run"], evaluated), (["exclude"], set(runs))):
        monkeypatch.setenv("COMP_WORDS", " ".join(["evalwatt", *words, runs[0][:4]]))
        monkeypatch.setenv("COMP_CWORD", str(len(words) + 1))
        with pytest.raises(SystemExit):
            cli.main()
        assert {line.partition(",")[2] for line in capfd.readouterr().out.splitlines()} == expected


@pytest.mark.parametrize("form", ["lm-eval", "every-eval-ever"])
def test_a_doubtful_energy_is_named_where_its_score_is_written(
    export: Export, marts: duckdb.DuckDBPyConnection, form: str
) -> None:
    doubtful = _evaluations(marts, "is_valid and energy_reason is not null")
    assert doubtful
    left = {item["what"]: item["reason"] for item in export(form)["left_out"]}
    for run_id, task, repetition, _, _, reason in doubtful:
        name = task if repetition == 1 else f"{task} (repetition {repetition})"
        (told,) = [why for what, why in left.items() if what.endswith(f" of run {run_id}") and name in what]
        assert told == reason
    written = {run_id for run_id, *_ in _evaluations(marts, "is_valid and energy_reason is null")}
    assert not any(run_id in what for what in left if what.startswith("run ") for run_id in written)


def test_boamps_says_what_quantized_weights_are_computed_in(marts: duckdb.DuckDBPyConnection, home: Home) -> None:
    run = next(
        item for item in published_runs.read(marts, home.landing, "tuned") if isinstance(item, published_runs.Run)
    )
    for quantization, expected in ((None, "bfloat16"), ("Q4_1", "Q4_1 weights, computed in bfloat16")):
        of = dataclasses.replace(run, model=dataclasses.replace(run.model, quantization=quantization, dtype="bfloat16"))
        file = next(item for item in boamps.files([of], datetime.now(UTC)) if isinstance(item, published_runs.File))
        assert json.loads(file.text)["task"]["algorithms"][0]["quantization"] == expected


def test_no_models_name_is_a_path(export: Export, tmp_path: Path) -> None:
    for form in ("lm-eval", "every-eval-ever", "boamps", "codecarbon"):
        for file in export(form)["files"]:
            parts = Path(file).relative_to(tmp_path / "out").parts
            assert not any(name in part for part in parts for name in ("base", "tuned", "slow", "doubtful"))
