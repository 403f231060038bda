"""What an evaluator's process finds in its environment, asked of real processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from evaluators import environment

LOOK = "from evaluators import environment as e; e.prepare(); print(e.thread_policy())"


def policy_of_a_process(**variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=kept | variables, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_threads_spin_for_a_moment_only() -> None:
    assert policy_of_a_process() == f"spin={environment.SPINS}"


@pytest.mark.parametrize(
    ("variables", "policy"),
    [
        ({"GOMP_SPINCOUNT": "300000"}, "spin=300000"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "wait=passive"),
        ({"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "10"}, "spin=10"),
        ({"KMP_BLOCKTIME": "0"}, "block=0"),
    ],
)
def test_a_users_own_setting_wins(variables: dict[str, str], policy: str) -> None:
    assert policy_of_a_process(**variables) == policy


@pytest.mark.parametrize("variables", [{}, {"OMP_WAIT_POLICY": "PASSIVE"}])
def test_a_plan_expects_what_the_evaluator_will_say(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment.expected_thread_policy() == policy_of_a_process(**variables)
