# Everything that a person or CI runs. `make demo` and `make test` set up what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Most tests wait for servers and processes, so more of them at once than there are cores.
JOBS ?= 3

.PHONY: help demo test faults lint bench docs clean

help:  ## Say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/installed  ## Show the main job: events in, alarms matched, callbacks out (no server)
	@$(BIN)/tocsin demo

test: $(VENV)/installed-dev  ## Run all tests; those that need a server say so where none answers
	$(BIN)/pytest --numprocesses $(JOBS) --dist loadgroup

faults: $(VENV)/installed-dev  ## Run the faults for longer (TOCSIN_FAULTS_MINUTES, _EVENTS; TOCSIN_TEST_SEED)
	TOCSIN_FAULTS_MINUTES=$${TOCSIN_FAULTS_MINUTES:-5} \
	TOCSIN_FAULTS_EVENTS=$${TOCSIN_FAULTS_EVENTS:-100000} $(BIN)/pytest tests/faults

lint: $(VENV)/installed-dev  ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-dev  ## Measure everything, side by side with what it stands on; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed-dev  ## Write docs/reference.md and docs/metrics.md from the code
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_metrics.py

clean:  ## Remove the virtual environment and all caches
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Tocsin needs Python 3.11 or later: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-dev: $(BIN)/python setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@ $(VENV)/installed
