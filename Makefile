# `make help` lists what can be made. Everything sets itself up: .venv is made on the first call, and made
# again when the lock or the package's description changes.

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
LOCK := requirements.lock
# Each file of tests is one process's; every process has servers of its own.
SPREAD := -n $(shell getconf _NPROCESSORS_ONLN) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test lint types suite quick bench docs changelog lock clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-10s %s\n' "$$name" "$$what"; done

setup: $(READY) ## the environment in .venv (done by the others when needed)

$(READY): $(LOCK) pyproject.toml tools/set_up.py
	@echo "setting up $(VENV): once, about a minute" >&2
	@$(PYTHON) tools/set_up.py $(VENV)

demo: $(READY) ## run the example studies and make a site of their reports
	@cd examples && $(BIN)/modelworks run --all && $(BIN)/modelworks publish site
	@echo "look at it: open examples/site/index.html in a browser"

test: lint types suite ## everything that must hold: style, types, all tests

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy
	$(BIN)/mypy tools benchmarks tests/house tests/conftest.py tests/test_architecture.py

suite: $(READY)
	$(BIN)/python -m pytest $(SPREAD) -m "slow or not slow"

quick: $(READY) ## the tests that take about a minute
	$(BIN)/python -m pytest $(SPREAD)

bench: $(READY) ## how fast, one JSON line each, next to other people's programs
	@$(BIN)/python benchmarks/run.py

docs: $(READY) ## write docs/reference anew and try every code block of the docs
	$(BIN)/python tools/generate_reference.py
	$(BIN)/python -m pytest -m "slow or not slow" tests/house/test_docs.py

changelog: $(READY) ## what the next release notes would say
	@$(BIN)/towncrier build --draft --version next

lock: $(READY) ## take newer versions of the dependencies into the lock
	$(BIN)/python tools/lock.py --upgrade

clean: ## remove what was made (not the runs of examples/)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis examples/site
