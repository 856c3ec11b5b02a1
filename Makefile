# The four verbs. Each does all its own set-up from a bare clone.
.DEFAULT_GOAL := help
.PHONY: help up test check bench

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UP_ARGS ?=

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.runtime: pyproject.toml
	@deploy/setup/python.sh $(PYTHON) $(VENV) embedded
	@touch $@

$(VENV)/.development: pyproject.toml
	@deploy/setup/python.sh $(PYTHON) $(VENV) embedded,test,dev
	@touch $@ $(VENV)/.runtime

up: $(VENV)/.runtime ## Run the whole city on this machine; Ctrl-C stops it
	@exec $(BIN)/arterial up $(UP_ARGS)

test: $(VENV)/.development ## Install what the tests need and pass all of them
	@deploy/setup/system.sh
	@$(BIN)/pytest -n 2 --dist loadfile $(TEST_ARGS)

check: $(VENV)/.development ## Lint, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.development ## Measure, with peers where they can be installed
	@$(BIN)/arterial bench all
