# Every target sets up what it needs and does no needless work the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
USED := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.DEFAULT_GOAL := help
.PHONY: help demo lab test test-full check format notebooks rerun bench clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(USED)  ## Run the main job on data/samples: the answer in words, and the page it names
	@$(BIN)/reverse-funnel demo

lab: $(USED)  ## Open JupyterLab on the start notebook
	@$(BIN)/reverse-funnel lab

test: $(DEV)  ## Run every test (long campaigns in their short form)
	@$(BIN)/python -m pytest -n 2 --dist loadscope -m "not campaign"
	@$(MAKE) --no-print-directory notebooks

test-full: $(DEV)  ## Run every test, long campaigns whole
	@$(BIN)/python -m pytest -n 2 --dist loadscope
	@$(MAKE) --no-print-directory notebooks

NBVAL := -m pytest -q -p no:cacheprovider --nbval --nbval-current-env -o testpaths=notebooks

notebooks: $(DEV)  ## Run the notebooks and compare every output, twice: elsewhere and a year on
	@TZ=America/New_York $(BIN)/python $(NBVAL) notebooks
	@TZ=Asia/Kolkata PYTHONPATH=tests/a_year_on $(BIN)/python $(NBVAL) notebooks

check: $(DEV)  ## Check format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(DEV)  ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .

rerun: $(DEV)  ## Run the notebooks and store their outputs
	@$(BIN)/python -m workbench.report.rerun $(NOTEBOOKS)

bench: $(DEV)  ## Measure speed and memory against named peers: KPIs, then the CRMs
	@$(BIN)/python benchmarks/run.py
	@$(BIN)/python benchmarks/hubspot.py
	@$(BIN)/python benchmarks/salesforce.py

clean:  ## Remove the environment and what was made
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(USED): requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Setting up (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.lock $(USED)
	@echo "Setting up for development (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
