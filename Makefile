# One command each: setup, run, test, check, bench. `make setup` costs nothing when nothing changed.
# Another Python than `python3`: make PYTHON=python3.13 setup

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Wheels only, each by its hash: no compiler is needed and nothing else is installed.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED := $(INSTALL) --require-hashes --only-binary :all: --requirement

# What Python compiles is kept whatever the environment says: the tests are collected by each of their
# processes, and compiling them takes as long as all the rest of that.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup setup-dev scripts words dashboards dashboard-pictures run test test-slow chaos chaos-cluster check stack-check stack-secrets lock bench bench-cluster api-client openapi clean

setup: $(VENV)/.run.stamp

setup-dev: $(VENV)/.dev.stamp

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) is not there: say which Python to use, as in 'make PYTHON=python3.12 setup'" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed and $(PYTHON) is %d.%d: say which to use, as in make PYTHON=python3.12 setup" % sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments: install python3-venv (Debian, Ubuntu), or use another Python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run.stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	$(LOCKED) requirements/run.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev.stamp: requirements/dev.txt $(VENV)/.run.stamp
	$(LOCKED) requirements/dev.txt
	@touch $@

run: setup scripts
	$(BIN)/controlplane demo

# Third-party scripts that make the console live. Without them its pages work, but stand still.
VENDOR := controlplane/ui/static/vendor
SCRIPTS := node_modules/htmx.org/dist/htmx.min.js node_modules/uplot/dist/uPlot.iife.min.js \
	node_modules/uplot/dist/uPlot.min.css

scripts:
	@test $(VENDOR)/.stamp -nt package-lock.json || \
		{ command -v npm >/dev/null && npm ci --silent && mkdir -p $(VENDOR) && \
		  cp $(SCRIPTS) $(VENDOR)/ && touch $(VENDOR)/.stamp; } || \
		echo "npm is not there or did not work: the console's pages will not be live (install npm, then: make scripts)" >&2

# Every test is run by one of the two: `slow` marks what is slow by its nature. What is skipped is
# listed at the end with its reason.
test: setup-dev
	$(BIN)/pytest -n auto --dist worksteal -rs -m "not slow"

test-slow: setup-dev
	$(BIN)/pytest -n auto --dist worksteal -rs -m slow

# 10,000 changes of state, a receiver that fails a third of the time, 20 kills: nothing may be lost.
chaos: setup-dev
	$(BIN)/python -m tests.chaos

# Three replicas on PostgreSQL, Redis and a metrics engine, 15 minutes of kills, pauses and cuts: at
# the end the open incidents are the targets that are down, and each target was probed all the time.
chaos-cluster: setup-dev
	$(BIN)/python -m tests.chaos.cluster

check: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The files of the stack, each by its own tool: compose's schema, hadolint, promtool, nginx, amtool,
# and a real Prometheus. No Docker is needed. The tests run the same.
stack-check: setup-dev
	$(BIN)/pytest -rs tests/stack

# Random secrets for docker-compose.yml, where there are none yet.
stack-secrets:
	@deploy/secrets.sh

# Keeps what is locked and fits; `make lock UPGRADE=--upgrade` takes the newest of all.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --no-strip-extras $(UPGRADE) pyproject.toml --group build

lock: setup-dev
	$(COMPILE) --output-file requirements/run.txt
	$(COMPILE) --extra dev --extra autoscaling --constraints requirements/run.txt --output-file requirements/dev.txt

bench: setup-dev
	$(BIN)/python -m benchmarks

# Replicas on PostgreSQL, Valkey and Prometheus: what they cost, how soon they tell and take over.
# Takes eight minutes.
bench-cluster: setup-dev
	$(BIN)/python -m benchmarks cluster

# A typed client of /api/v1 in build/, made from the committed document.
api-client: setup-dev
	@mkdir -p build
	$(BIN)/openapi-python-client generate --path docs/openapi.json --meta none --overwrite \
		--output-path build/controlplane_api

openapi: setup
	$(BIN)/python -m controlplane.api.openapi > docs/openapi.json

# The catalogues of the console's texts, brought up to date with the templates and the code.
words: setup-dev
	$(BIN)/pybabel -q extract -F controlplane/ui/words/babel.cfg -k say -k Sentence --no-location \
		--omit-header -o build/console.pot controlplane
	$(BIN)/pybabel -q update -i build/console.pot -d controlplane/ui/words -l de --no-fuzzy-matching \
		--ignore-obsolete --no-wrap -o controlplane/ui/words/de.po

# What a Grafana mounts, made of dashboards/: the same bytes every time. A test finds differences.
dashboards: setup
	$(BIN)/python -m dashboards grafana/dashboards

# The pictures in docs/dashboards.md, of a run of the demo. Takes six minutes.
dashboard-pictures: setup-dev
	$(BIN)/python -m tests.support.dashboard_pictures docs/images/dashboards

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist *.egg-info
