# The house, by its doors. Everything is installed into .venv at the root; nothing on the system is changed.
#
#   make demo      the birds example: pictures in, messages out (ONCE=1 stops after the last message);
#                  EXAMPLE=sentiment: a page, reviews in, answers out
#   make test      every test, in parallel, with a closing list of what was skipped and why
#   make check     format, lint, types, the laws of the house
#   make bench     everything that is measured, beside bare limits and peers, into docs/benchmarks.md (wrk, redis-server
#                  if they are there; half an hour); ONLY=put,api: some of it, printed
#   make chaos     the crash tests at length: EVENTS=10000 KILLS=200 SYSCALLS=300 CUTS=1000 ... (about two hours)
#   make docs      docs/reference/coverage.md anew from the tables of the services
#   make parts     what Alight is made of, as a CycloneDX document, for scanners
#   make release   wheel and sources of what is committed into dist/, with sums, parts and provenance; to be signed
#   make lock      requirements/*.txt anew from pyproject.toml
#   make clean     removes .venv, .venv-bench-* and caches

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
SMALL_KILLS ?= 3000
WORKER_KILLS ?= 100
CUTS ?= 1000
OBJECT_CUTS ?= 100
DISK_ERRORS ?= 24
UNREADABLE ?= 4
PENDING ?= 100000
FULL ?= 50
FLIPS ?= 500
SIMULATIONS ?= 10000
STORIES ?= 60
FUZZ ?= 20000
DRIBBLED ?= 4000
FORGED ?= 100000
FUZZED ?= 20000
OVERLOAD ?= 30
SLOW_EVENTS ?= 200
SOAK ?= 600

# Every process that a test starts would compile the whole package again (half a second each) where this is set. What
# runs Alight is compiled when it is installed, for those who have it set in their shell.
unexport PYTHONDONTWRITEBYTECODE

# Libraries that tests and benches load themselves are to be quiet, too (src/alight/quiet.py).
export ORT_DISABLE_TELEMETRY := 1

.PHONY: help demo test check bench chaos docs parts release lock clean venv
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#   //p' Makefile

# Two stamps: what runs Alight is installed first and is enough for the demo; the rest comes with the tests.
$(VENV)/.run: requirements/run.txt pyproject.toml
	@echo "Installing Alight into $(VENV) (once; about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --require-hashes --requirement requirements/run.txt
	@$(INSTALL) --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src
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
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY),--write)

chaos: $(VENV)/.dev
	@ALIGHT_TEST_ROUNDS=$(ROUNDS) ALIGHT_CHAOS_EVENTS=$(EVENTS) ALIGHT_CHAOS_KILLS=$(KILLS) \
		ALIGHT_CHAOS_SYSCALLS=$(SYSCALLS) ALIGHT_CHAOS_CUTS=$(CUTS) ALIGHT_CHAOS_OBJECT_CUTS=$(OBJECT_CUTS) \
		ALIGHT_CHAOS_SMALL_KILLS=$(SMALL_KILLS) ALIGHT_CHAOS_WORKER_KILLS=$(WORKER_KILLS) \
		ALIGHT_CHAOS_DISK_ERRORS=$(DISK_ERRORS) ALIGHT_CHAOS_FULL=$(FULL) ALIGHT_CHAOS_FLIPS=$(FLIPS) \
		ALIGHT_CHAOS_PENDING=$(PENDING) ALIGHT_CHAOS_UNREADABLE=$(UNREADABLE) \
		ALIGHT_CHAOS_SIMULATIONS=$(SIMULATIONS) ALIGHT_CHAOS_STORIES=1000 \
		ALIGHT_CHAOS_OBJECT_STORIES=$(STORIES) ALIGHT_CHAOS_OBJECT_STEPS=60 ALIGHT_CHAOS_OBJECT_KILLS=4 \
		ALIGHT_CHAOS_FUZZ=$(FUZZ) ALIGHT_CHAOS_DRIBBLED=$(DRIBBLED) ALIGHT_CHAOS_PICTURES=1 ALIGHT_CHAOS_BENCH=1 \
		ALIGHT_CHAOS_OVERLOAD=$(OVERLOAD) ALIGHT_CHAOS_SLOW_EVENTS=$(SLOW_EVENTS) ALIGHT_CHAOS_DEAD_EVENTS=$(SLOW_EVENTS) ALIGHT_CHAOS_SOAK=$(SOAK) \
		ALIGHT_CHAOS_FORGED=$(FORGED) ALIGHT_CHAOS_FUZZED=$(FUZZED) ALIGHT_CHAOS_GRID=1 \
		$(BIN)/pytest --verbose --capture=no tests/crash tests/sim tests/unit/store/test_journal_machine.py tests/walk/test_kill.py \
		tests/walk/test_fuzz.py tests/fuzz tests/walk/test_slowloris.py tests/walk/test_overload.py tests/walk/test_backpressure.py \
		tests/unit/endpoints/test_picture_corpus.py tests/labs tests/house/test_bench.py tests/unit/gateway/test_auth_grid.py \
		tests/unit/gateway/test_forged.py tests/unit/gateway/test_forged_forms.py tests/walk/test_auth_grid.py \
		tests/unit/notifications/test_ssrf.py tests/walk/test_canaries.py tests/walk/test_hostile.py

docs: $(VENV)/.dev
	@$(BIN)/python -m tests.laws.coverage

parts: $(VENV)/.dev
	@$(BIN)/python -m tests.house.parts

release: $(VENV)/.dev
	@$(BIN)/python -m tests.house.release

LOCK := uv pip compile pyproject.toml --extra all --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE)

lock: $(VENV)/.dev
	@$(BIN)/$(LOCK) --group build --output-file requirements/run.txt
	@$(BIN)/$(LOCK) --group dev --constraint requirements/run.txt --output-file requirements/dev.txt
	@! grep -nE '://|^-' requirements/run.txt requirements/dev.txt || { echo "A list names an address: not to be committed."; exit 1; }

clean:
	@rm -rf $(VENV) .venv-bench .venv-bench-* .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
