# One command each: setup, run, test, check, bench. `make setup` costs nothing when nothing changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup setup-dev run test check lock bench clean

setup: $(VENV)/.run.stamp

setup-dev: $(VENV)/.dev.stamp

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run.stamp: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev.stamp: requirements/dev.txt $(VENV)/.run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@

run: setup
	$(BIN)/controlplane demo

test: setup-dev
	$(BIN)/pytest -n auto

check: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --no-strip-extras pyproject.toml --group build

lock: setup-dev
	$(COMPILE) $(UPGRADE) -o requirements/run.txt
	$(COMPILE) $(UPGRADE) --extra dev -c requirements/run.txt -o requirements/dev.txt

bench: setup-dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info
