# Needs nothing but make and a Python of at least 3.11 with venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
JOBS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

PROOFS := tests/simulation tests/model tests/kills tests/mutants

.PHONY: demo test lint types unit portable proofs pins clean

demo: $(VENV)/.installed  ## make the example's pictures against the simulator: no account, no cost
	$(BIN)/flux-pipeline run manifests/catalog.yaml --simulate

test: lint types unit proofs  ## everything that has to hold

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

unit: $(VENV)/.dev
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -q -n $(JOBS) -m "not alone" $(PROOFS:%=--ignore=%) --cov --cov-report=
	$(BIN)/python -m pytest -q -m alone
	$(BIN)/coverage report --skip-covered --skip-empty

portable: $(VENV)/.dev  ## what may differ between versions of Python: no coverage, no browser, nothing that measures time
	$(BIN)/python -m pytest -q -n $(JOBS) -m "not alone" $(PROOFS:%=--ignore=%) --ignore=tests/browser --ignore=tests/house

proofs: $(VENV)/.dev  ## the simulation, the model, the kills and the mutants, without the cost of measuring coverage
	$(BIN)/python -m pytest -q -n $(JOBS) $(PROOFS)

pins: $(VENV)/.dev  ## renew the pinned versions, without naming an index
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header pyproject.toml requirements/run.in -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --extra dev --extra show -c requirements/run.txt pyproject.toml requirements/dev.in \
		-o requirements/dev.txt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Everything is pinned, so nothing is to be resolved: an older pip would look for the newest of what is named with an extra.
$(VENV)/.installed: pyproject.toml requirements/run.txt | $(VENV)/bin/python
	$(PIP) --require-hashes --no-deps -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.installed requirements/dev.txt
	$(PIP) --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/python -m pip check
	touch $@

clean:
	rm -rf $(VENV) .venv-* build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis

.PHONY: kills nightly mutants

kills: $(VENV)/.dev  ## SIGKILL, failing disks and signals, as in `make test`, with counts
	$(BIN)/python tests/kills/explore.py kills --kills 500
	$(BIN)/python tests/kills/explore.py disks
	$(BIN)/python tests/kills/explore.py stops --moments 30

nightly: $(VENV)/.dev  ## the same proofs, many times over: an hour or two
	$(BIN)/python tests/kills/explore.py kills --kills 10000 --seed $$(date +%Y%m%d)
	$(BIN)/python tests/kills/explore.py stops --moments 1000 --seed $$(date +%Y%m%d)
	$(BIN)/python tests/kills/syscalls.py
	$(BIN)/python tests/simulation/explore.py --schedules 1000000 --seed $$(date +%Y%m%d)

mutants: $(VENV)/.dev  ## take out each rule of safety and see what notices
	$(BIN)/python tests/mutants/table.py
