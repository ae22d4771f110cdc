# The house, by its doors. Everything is installed into .venv at the root; nothing on the system is changed.
#
#   make demo      the birds example: pictures in, messages out (ONCE=1 stops after the last message);
#                  EXAMPLE=sentiment: a page, reviews in, answers out
#   make test      every test, in parallel, with a closing list of what was skipped and why
#   make check     format, lint, types, the laws of the house
#   make bench     latency and throughput of the walk, beside a bare loop
#   make bench-http  the same of reviews through a public API
#   make chaos     the crash tests at length: EVENTS=10000 KILLS=200 SYSCALLS=300 (about an hour)
#   make docs      docs/reference/coverage.md anew from the tables of the services
#   make lock      requirements/*.txt anew from pyproject.toml
#   make clean     removes .venv, .venv-bench and caches

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --quiet --disable-pip-version-check
INSTALL := $(PIP) install --no-deps
TESTS ?= tests
EXAMPLE ?= birds
ROUNDS ?= 20
EVENTS ?= 10000
KILLS ?= 200
SYSCALLS ?= 300

.PHONY: help demo test check bench bench-http chaos docs lock clean venv
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

# Two stamps: what runs Alight is installed first and is enough for the demo; the rest comes with the tests.
$(VENV)/.run: requirements/run.txt pyproject.toml
	@echo "Installing Alight into $(VENV) (once; about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --require-hashes --requirement requirements/run.txt
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "Installing what tests and checks need into $(VENV) (once)"
	@$(INSTALL) --no-build-isolation --require-hashes --requirement requirements/dev.txt
	@touch $@

venv: $(VENV)/.dev

demo: $(VENV)/.run
	@$(BIN)/alight demo $(EXAMPLE) $(if $(filter-out 0,$(ONCE)),--once)

test: $(VENV)/.dev
	@$(BIN)/pytest --numprocesses auto --dist worksteal $(TESTS)

check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest --quiet tests/laws

bench: $(VENV)/.dev
	@$(BIN)/python bench/pipeline.py

bench-http: $(VENV)/.dev
	@$(BIN)/python bench/http

chaos: $(VENV)/.dev
	@ALIGHT_TEST_ROUNDS=$(ROUNDS) ALIGHT_CHAOS_EVENTS=$(EVENTS) ALIGHT_CHAOS_KILLS=$(KILLS) \
		ALIGHT_CHAOS_SYSCALLS=$(SYSCALLS) $(BIN)/pytest --verbose --capture=no tests/crash tests/walk/test_kill.py tests/labs

docs: $(VENV)/.dev
	@$(BIN)/python -m tests.laws.coverage

LOCK := uv pip compile pyproject.toml --extra all --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE)

lock: $(VENV)/.dev
	@$(BIN)/$(LOCK) --group build --output-file requirements/run.txt
	@$(BIN)/$(LOCK) --group dev --constraint requirements/run.txt --output-file requirements/dev.txt
	@! grep -nE '://|^-' requirements/run.txt requirements/dev.txt || { echo "A list names an address: not to be committed."; exit 1; }

clean:
	@rm -rf $(VENV) .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
