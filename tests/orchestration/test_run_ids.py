"""RUN: the verbs that take a run accept any prefix of its id, Evalwatt's or Dagster's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from evaluators.landing.decisions import excluded_runs, runs
from evaluators.process import activity
from orchestration import cli
from orchestration.cli.cancel import _chosen
from orchestration.cli.errors import WrongUse
from orchestration.cli.run_ids import landed_run, run_named
from orchestration.home import Home
from orchestration.instance.names import EVALUATIONS, PARTITION_TAG
from orchestration.instance.opening import open_instance
from orchestration.nights.groups import EVALUATE_JOB
from tests.support.landing_builder import BuiltRun, TaskOutcome


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("EVALWATT_HOME", str(tmp_path))
    return Home(tmp_path)


@pytest.fixture
def instance(home: Home) -> Iterator[DagsterInstance]:
    with open_instance(home) as opened:
        yield opened


def _land(home: Home) -> str:
    return BuiltRun(home.landing, "base", [TaskOutcome("mc", [True], 100.0)]).land()


def _dagsters(instance: DagsterInstance, *evaluated: str) -> str:
    """Dagster's run that evaluated these, as the asset says it in its metadata."""
    run = create_run_for_test(instance, job_name=EVALUATE_JOB, status=DagsterRunStatus.SUCCESS)
    materialization = dg.AssetMaterialization(EVALUATIONS, metadata={"run_ids": ", ".join(evaluated)})
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        job_name=run.job_name,
        event_specific_data=dg._core.events.StepMaterializationData(materialization),
    )
    instance.report_dagster_event(event, run.run_id)
    return run.run_id


def test_a_beginning_names_one_run() -> None:
    known = {"01AB": ["3f2a"], "01AC": ["3f2b"]}
    assert [run_named(beginning, known) for beginning in ("01AB", "01AC", "3f2a", "02", "")] == [
        *("01AB", "01AC", "01AB"),
        *(None, None),
    ]
    for beginning in ("01A", "3f2"):
        with pytest.raises(WrongUse, match=f"{beginning} names 2 runs: 01AB, 01AC; name one of them"):
            run_named(beginning, known)


@pytest.mark.parametrize("whose", ["Evalwatt", "Dagster"])
def test_exclude_takes_either_id(
    home: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    _land(home)
    run_id = _land(home)
    dagsters = _dagsters(instance, run_id)
    named = {"Evalwatt": run_id[:-1], "Dagster": dagsters[:8]}[whose]
    monkeypatch.setattr(sys, "argv", ["evalwatt", "exclude", named, "--reason", "the fan failed"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert set(excluded_runs(home.landing)) == {run_id}


def test_calibrate_and_export_take_dagsters_id_too(
    home: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _land(home)
    dagsters = _dagsters(instance, run_id)
    assert landed_run(home, dagsters[:8], [run_id]) == run_id
    monkeypatch.setattr(sys, "argv", ["evalwatt", "calibrate", "--measured-kwh", "9999", "--run", dagsters[:8]])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2  # refused by the meter's figure, so the run was found


def test_a_dagster_run_of_several_suites_asks_which_is_meant(home: Home, instance: DagsterInstance) -> None:
    found = [_land(home), _land(home)]
    dagsters = _dagsters(instance, *found)
    with pytest.raises(WrongUse, match="names 2 runs"):
        landed_run(home, dagsters, runs(home.landing))


def test_cancel_takes_either_id(home: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = activity.Evaluating(1, "01JQ2Z7K3V8N5W6X9Y0A1B2C3D", "tiny", "tiny", None, 0, 0, 0, 0, "")
    monkeypatch.setattr(activity, "read", lambda home: moment)
    tiny, other = (
        create_run_for_test(instance, job_name=EVALUATE_JOB, tags={PARTITION_TAG: model}) for model in ("tiny", "other")
    )
    assert _chosen(home, [tiny, other], tiny.run_id[:10]) == [tiny]
    assert _chosen(home, [tiny, other], "01JQ2Z") == [tiny]
    with pytest.raises(WrongUse, match=f"nobody is not running; running: {tiny.run_id[:8]}, {other.run_id[:8]}"):
        _chosen(home, [tiny, other], "nobody")


def test_the_shell_completes_ids_of_what_runs(
    home: Home, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = create_run_for_test(instance, job_name=EVALUATE_JOB, status=DagsterRunStatus.STARTED)
    monkeypatch.setenv("_EVALWATT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"evalwatt cancel {run.run_id[:8]}")
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setattr(sys, "argv", ["evalwatt"])
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().out.strip() == f"plain,{run.run_id}"
