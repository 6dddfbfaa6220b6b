# Every target installs what it needs into .venv first; `make` alone lists them.

VENV ?= .venv
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { command -v $$p; break; }; done)
# An index to take torch from, e.g. https://download.pytorch.org/whl/cpu; empty: the default index.
TORCH_INDEX ?=
# Test processes side by side, each with one thread.
JOBS ?= 2
BENCH ?= $(if $(DATA),protocols,windows)
# Cases of `make fuzz`.
CASES ?= 10000
# Delivery days of `make soak`.
DAYS ?= 90
# Folder of the data of the protocols; naming it runs the quick ones.
DATA ?=
SOURCES := src serving flows migrations tests benchmarks deploy
TORCH := torch==2.13.0
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.installed
ONE_THREAD := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test lint types layers pytest test-long format bench serve up soak fuzz audit image-proof ui pins clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## create .venv and install everything, pinned by constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11-3.13 with venv found: sudo apt-get install python3 python3-venv," \
		"or name one: make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "install: packages into $(VENV) (a few minutes the first time)"
	@$(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@test -z "$(TORCH_INDEX)" || $(PIP) install --quiet --index-url "$(TORCH_INDEX)" $(TORCH)
	@$(PIP) install --quiet -c constraints.txt $(TORCH) -e ".[sample,postgres,entsoe,otel,dask,bench,dev]"
	@touch $@

demo: $(STAMP) ## the whole way on a real sample: train, judge, register, serve, ask
	@$(VENV)/bin/forecast demo

test: lint types layers pytest ## lint + types + layers + tests (FORECAST_TEST_STRICT=1: no skips for missing tools)

lint: $(STAMP) ## ruff: rules and format
	@echo "lint: ruff"
	@$(VENV)/bin/ruff check --quiet $(SOURCES)
	@$(VENV)/bin/ruff format --check --quiet $(SOURCES) || { echo "not formatted: make format"; exit 1; }

types: $(STAMP) ## mypy --strict on src/ and serving/
	@echo "types: mypy"
	@$(VENV)/bin/mypy

layers: $(STAMP) ## import-linter: imports point down the floors
	@echo "layers: import-linter"
	@$(VENV)/bin/lint-imports --no-logo

pytest: $(STAMP) ## the tests alone
	@echo "tests: pytest, $(JOBS) processes"
	@$(ONE_THREAD) $(VENV)/bin/python -m pytest -q -n $(JOBS) --dist loadgroup --no-loadscope-reorder

test-long: $(STAMP) ## further cases of what the tests hold, which take long; before a release
	@$(ONE_THREAD) $(VENV)/bin/python -m pytest -q -n $(JOBS) --dist loadgroup -m long

format: $(STAMP) ## rewrite the sources as ruff wants them
	@$(VENV)/bin/ruff check --fix --quiet $(SOURCES)
	@$(VENV)/bin/ruff format $(SOURCES)

bench: $(STAMP) ## measure windows; DATA=folder: the quick protocols; BENCH=name: another of benchmarks/
	@$(ONE_THREAD) $(VENV)/bin/python benchmarks/$(BENCH).py $(DATA)

serve: $(STAMP) ## the HTTP service with the registered champion
	@$(VENV)/bin/forecast serve

up: $(STAMP) ## Prefect, a worker, MLflow and the service on this machine; Ctrl+C stops all of it
	@$(VENV)/bin/forecast up

soak: $(STAMP) ## a simulated quarter against all of it, with accidents (under an hour); DAYS=n; writes docs/soak.md
	@$(ONE_THREAD) $(VENV)/bin/python benchmarks/soak.py --days $(DAYS)

fuzz: $(STAMP) ## ten thousand requests made from the description, all checks (about five minutes); CASES=n
	@$(ONE_THREAD) $(VENV)/bin/python benchmarks/fuzz.py --cases $(CASES)

audit: $(STAMP) ## known weaknesses of the pins (PyPI, OSV; ends with 2 where neither answers), and that nothing runs what it reads
	@$(VENV)/bin/python -m pytest -q tests/promises/test_no_pickle.py
	@$(VENV)/bin/python .ci/audit.py constraints.txt

image-proof: $(STAMP) ## as root, MODEL=folder with graphs: the Dockerfile's steps without an engine, then the service as it runs there
	@$(VENV)/bin/python -m deploy.proof.prove --model "$(MODEL)"

ui: $(STAMP) ## MLflow's pages on http://127.0.0.1:5000, or FORECAST_MLFLOW_PORT
	@MLFLOW_DISABLE_TELEMETRY=true $(VENV)/bin/mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db \
		--host 127.0.0.1 --port $${FORECAST_MLFLOW_PORT:-5000} --workers 1

# Resolves pyproject.toml afresh in a throw-away environment and writes down what came out. Run it where pip finds
# torch's CUDA build, so that the packages of that build stay pinned too.
pins: ## renew constraints.txt from what pyproject.toml allows today
	@set -e; room=$$(mktemp -d); trap 'rm -rf "$$room"' EXIT; \
	$(PYTHON) -m venv "$$room/venv"; \
	echo "pins: resolving (a few minutes)"; \
	test -z "$(TORCH_INDEX)" || "$$room/venv/bin/pip" install --quiet --index-url "$(TORCH_INDEX)" $(TORCH); \
	"$$room/venv/bin/pip" install --quiet $(TORCH) -e ".[sample,postgres,entsoe,otel,dask,bench,dev]"; \
	"$$room/venv/bin/pip" freeze --all --exclude-editable --exclude pip --exclude wheel > "$$room/frozen"; \
	{ sed -n '/^#/p' constraints.txt; sed 's/+cpu$$//' "$$room/frozen" | LC_ALL=C sort -f; } > "$$room/constraints"; \
	cp "$$room/constraints" constraints.txt

clean: ## remove build products and caches (.venv and mlruns/ stay)
	@rm -rf build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks
	@find src serving flows tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
