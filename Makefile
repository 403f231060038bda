# Every target does its own set-up; stamps keep that quick when nothing changed. Needs Python 3.11 to 3.13 with pip and
# venv, make and gcc. Paths are relative, because make splits absolute paths at a space in a folder's name. Targets that
# run Evalwatt install what it needs; targets that test and check also install the extra `dev`.
# TORCH_BACKEND=auto make run: the build of torch that suits this machine, from PyTorch's own index (untested).

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
ARGS ?=

.PHONY: run quick test test-slow soak ui lint bench setup setup-dev

run: setup
	@$(BIN)/evalwatt run $(ARGS)

# Tests in three tiers, in two processes each; ARGS="-n 0" uses one, as plain `pytest` does, for a debugger.
# For quick feedback: tests without a dbt build, a night, a kill or a browser. About five minutes.
quick: setup-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long and not slow" $(ARGS)

# Everything that should pass on a user's machine. About twenty minutes.
test: setup-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

# Sweeps, simulations, and tests with expensive set-ups.
test-slow: setup-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m slow $(ARGS)

# 200 random kills across a whole refresh, one to two hours; ARGS="--kills 15" for fewer.
soak: setup-dev
	$(BIN)/python -m tests.faults.soak $(ARGS)

# Webserver and daemon in one; open the address that it prints.
ui: setup
	DAGSTER_HOME="$$($(BIN)/python -m orchestration.instance)" $(BIN)/dagster dev -w workspace.yaml $(ARGS)

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project
	$(BIN)/oxlint
	$(BIN)/oxfmt --check '**/*.js'

bench: setup-dev
	$(BIN)/python -m benchmarks $(ARGS)

setup: .venv/.installed
	@$(BIN)/python -m orchestration.dbt_artifacts.manifest

setup-dev: .venv/.installed-dev
	@$(BIN)/python -m orchestration.dbt_artifacts.manifest

INSTALL = test -n "$(PYTHON)" || { echo "Evalwatt needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=/path/to/python" >&2; exit 2; }; \
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv && $(BIN)/python deploy/install.py

.venv/.installed: pyproject.toml constraints.txt deploy/install.py
	@$(INSTALL)
	@touch $@

.venv/.installed-dev: pyproject.toml constraints.txt deploy/install.py
	@$(INSTALL) dev
	@touch .venv/.installed $@
