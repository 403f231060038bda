"""What an evaluator's process finds in its environment, asked of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluators import environment
from evaluators.catalogue.entries import load
from evaluators.landing.runs import runs_by_workload
from evaluators.plan import make_spec, plan
from tests.support import tiny

LOOK = "from evaluators import environment as e; e.prepare(); print(e.thread_policy())"


def without_a_setting() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}


def policy_of_a_process(**variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=without_a_setting() | variables, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["evaluators", "orchestration.pipes_evaluator"])
def test_an_evaluators_process_lands_how_its_threads_wait(tmp_path: Path, module: str) -> None:
    tiny.save_model(tmp_path / "model")
    tiny.save_tasks(tmp_path / "tasks")
    tiny.save_catalogue(tmp_path, tasks=["tiny_one"], models=[tiny.model_entry("tiny-base", "model")])
    catalogue = load(tmp_path / "catalogue.yml")
    (planned,) = plan(catalogue, tmp_path / "home")
    file = tmp_path / "spec.json"
    file.write_text(make_spec(catalogue, planned, tmp_path / "home").model_dump_json())
    subprocess.run([sys.executable, "-m", module, str(file)], env=without_a_setting(), check=True, timeout=300)
    ((landed,),) = runs_by_workload(tmp_path / "home" / "landing").values()
    assert landed.start.thread_policy == environment.YIELDING


def test_threads_yield_where_nothing_is_said() -> None:
    assert policy_of_a_process() == environment.YIELDING


@pytest.mark.parametrize(
    ("variables", "policy"),
    [
        ({"GOMP_SPINCOUNT": "300000"}, "spin=300000"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "wait=passive"),
        ({"OMP_WAIT_POLICY": "active"}, "wait=active"),
        ({"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "10"}, "spin=10"),
        ({"KMP_BLOCKTIME": "0"}, "block=0"),
    ],
)
def test_a_users_own_setting_wins(variables: dict[str, str], policy: str) -> None:
    assert policy_of_a_process(**variables) == policy


@pytest.mark.parametrize(
    ("variables", "spins"), [({}, "2000"), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None")]
)
def test_a_recipes_threads_spin_briefly(tmp_path: Path, variables: dict[str, str], spins: str) -> None:
    (tmp_path / "recipe.py").write_text("import os; print('spins:', os.environ.get('GOMP_SPINCOUNT'))")
    program = (
        "from pathlib import Path; from evaluators import environment; environment.prepare();"
        "from evaluators.models.builds import train_adapter;"
        "train_adapter(Path('recipe.py'), Path(), Path(), 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=without_a_setting() | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"spins: {spins}\n"


@pytest.mark.parametrize("variables", [{}, {"OMP_WAIT_POLICY": "PASSIVE"}])
def test_a_plan_expects_what_the_evaluator_will_say(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment.thread_policy() == policy_of_a_process(**variables)
