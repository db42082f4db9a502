# One list of targets for people and for CI. `make help` prints it.

PYTHON ?= python3
VENV ?= .venv
ORACLES ?= .oracles
BIN := $(abspath $(VENV))/bin

FUZZ_FACTOR ?= 40
FUZZ_RUNS ?= 1000000
FUZZ_SECONDS ?= 120

KILLS ?= 200

SANITIZE_ROUNDS ?= 10000

RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
ORACLE_VERSIONS := 0.3.0 0.4.0
ORACLE_STAMPS := $(ORACLE_VERSIONS:%=$(ORACLES)/%/.installed)
# Another implementation of age, where there is npm to fetch it and node to run it; its tests say that they were skipped.
ORACLE_STAMPS += $(if $(shell command -v npm),$(ORACLES)/node/.installed)

# import-linter (like mypy) sees the three folders as the package s3duct through this tree of links.
LINKS := .typing

# The optional extension: where it can be built, installing builds it.
NATIVE := $(wildcard adapters/native/*.c adapters/native/*.h)

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types contracts pytest sweeps fuzz kills sanitize bench bench-sha3 format oracles clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(DEV) $(ORACLE_STAMPS) ## all that the other targets install (with -j3 side by side)

demo: $(RUN) ## pipe a directory through s3duct and back, and compare (DIR=... chooses it)
	@PATH="$(BIN):$$PATH" bash examples/roundtrip.sh $(DIR)

test: lint types contracts pytest ## everything that CI runs

lint: $(DEV) ## style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## mypy, strict
	$(BIN)/mypy

contracts: $(DEV) ## the arrows of the architecture
	PYTHONPATH=$(LINKS) $(BIN)/lint-imports --no-logo

# What measures memory or processors has the machine to itself; the rest runs on all cores.
ALONE := tests/integration/test_memory.py tests/servers tests/bench
pytest: export S3DUCT_ORACLES := $(abspath $(ORACLES))
pytest: $(DEV) oracles ## the tests (PYTEST_ARGS=... goes to pytest instead)
ifdef PYTEST_ARGS
	$(BIN)/pytest $(PYTEST_ARGS)
else
	$(BIN)/pytest -n auto $(ALONE:%=--ignore=%)
	$(BIN)/pytest $(ALONE)
endif

sweeps: export S3DUCT_FULL_SWEEPS := 1
sweeps: $(DEV) ## all of the sweeps of which the tests run a part
	$(BIN)/pytest tests/fault tests/integration/test_kill.py tests/integration/test_get_resume.py -rP -o timeout=0 $(PYTEST_ARGS)

fuzz: $(DEV) ## feed the parsers damaged input for longer than the tests do (FUZZ_RUNS, FUZZ_SECONDS for each of them)
	FUZZ_FACTOR="$(FUZZ_FACTOR)" FUZZ_RUNS="$(FUZZ_RUNS)" FUZZ_SECONDS="$(FUZZ_SECONDS)" \
		$(BIN)/pytest tests/fuzz -o timeout=0 $(PYTEST_ARGS)

kills: export KILL_EVERY_POINT := 1
kills: export KILLS := $(KILLS)
kills: export KILLS_SEED := $(or $(KILLS_SEED),$(shell date +%s))
kills: $(DEV) ## kill real puts and gets at every crash point, and at random times (KILLS, KILLS_SEED)
	$(BIN)/pytest tests/fault/test_sigkill.py tests/fault/test_random_kills.py -o timeout=0 -rP $(PYTEST_ARGS)

sanitize: export SANITIZE_ROUNDS := $(SANITIZE_ROUNDS)
sanitize: $(DEV) ## the C code under sanitizers for longer than the tests do (SANITIZE_ROUNDS)
	$(BIN)/pytest tests/sanitize -o timeout=0 -rP $(PYTEST_ARGS)

bench: $(DEV) ## measure beside aws, s5cmd, rclone, age, restic and s3duct 0.4.0 (BENCH_ARGS="--size 256M --rounds 1")
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

bench-sha3: $(DEV) ## how fast the hashing kernels are on this machine, beside hashlib
	$(BIN)/python -m tests.bench.sha3

format: $(DEV) ## rewrite what lint would complain about, where a tool can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

oracles: $(ORACLE_STAMPS) ## the released s3duct versions and the npm package that the interop tests talk to

clean: ## remove what the targets above made
	rm -rf $(VENV) $(ORACLES) .bench build dist s3duct.egg-info adapters/native/*.so

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "s3duct needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; choose another with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml setup.py $(NATIVE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV): pyproject.toml setup.py $(NATIVE) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(RUN) $@

$(ORACLES)/node/.installed:
	@npm install --silent --no-audit --no-fund --fetch-retries 0 --fetch-timeout 20000 \
		--prefix $(ORACLES)/node age-encryption@0.3.1 && touch $@ \
		|| echo "age-encryption could not be fetched: its tests will say that they were skipped"

$(ORACLES)/%/.installed:
	$(PYTHON) -m venv $(ORACLES)/$*
	$(ORACLES)/$*/bin/python -m pip install --quiet --disable-pip-version-check s3duct==$*
	@touch $@
