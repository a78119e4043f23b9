.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv

.PHONY: help
help: ## show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Daybreak needs Python 3.11 to 3.13; this is " + sys.version.split()[0]) if not (3, 11) <= sys.version_info < (3, 14) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet 'uv>=0.9,<1'
	$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	$(UV) pip install --quiet --python $(BIN)/python -r requirements-dev.txt
	@touch $@

.PHONY: setup
setup: $(VENV)/.dev ## create .venv with everything that running, testing and checking need

.PHONY: lock
lock: $(VENV)/.runtime ## resolve requirements*.in again for Python 3.11 to 3.13
	$(UV) pip compile --quiet --universal --python-version 3.11 --upgrade requirements.in -o requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --upgrade requirements-dev.in -o requirements-dev.txt
