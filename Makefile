.DEFAULT_GOAL := help
SHELL := /bin/bash

# The first Python that fits; `make PYTHON=...` chooses another.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for one in python3 python3.13 python3.12 python3.11; do \
	$$one -c '$(FITS)' 2>/dev/null && echo $$one && break; done)
VENV := .venv
BIN := $(VENV)/bin

# uv is many times quicker than pip, but does not read pip's configuration: the index is passed
# on, and where uv still fails (a proxy, a certificate, a find-links folder) pip does the work.
define install
	@export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null || $(BIN)/pip config get site.index-url 2>/dev/null || echo https://pypi.org/simple)}}"; \
	[ -z "$$PIP_CERT" ] || export SSL_CERT_FILE="$${SSL_CERT_FILE:-$$PIP_CERT}"; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode $(1) || { \
		echo "uv could not install; trying pip, which reads its own configuration."; \
		$(BIN)/pip install --quiet $(1); }
endef

.PHONY: help
help: ## show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements.txt pyproject.toml
	@$(or $(PYTHON),false) -c '$(FITS)' 2>/dev/null || { \
		echo "Daybreak needs Python 3.11 to 3.13. Install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Installing into $(VENV); the first time takes one to three minutes."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	$(call install,-r requirements.txt)
	$(call install,--no-deps --editable .)
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	$(call install,-r requirements-dev.txt)
	@touch $@

.PHONY: setup
setup: $(VENV)/.dev ## create .venv with everything that running, testing and checking need

.PHONY: demo
demo: $(VENV)/.runtime ## two weeks of business days through Airflow; DATA=<Online Retail file> for real sales
	@$(BIN)/daybreak demo $(if $(DATA),--data '$(DATA)')

.PHONY: up
up: $(VENV)/.runtime ## start PostgreSQL, Airflow and the prediction service
	@$(BIN)/daybreak up

.PHONY: down
down: ## stop all of them; nothing is left running
	@[ ! -x $(BIN)/daybreak ] || $(BIN)/daybreak down

# Three workers on two cores, as much of the time is spent waiting for Airflow. tests/conftest.py brings
# the files that take minutes to the front.
# A run starts hundreds of processes: what they compile is kept, also where the machine says not to.
test test-fast: export PYTHONDONTWRITEBYTECODE :=

.PHONY: test
test: $(VENV)/.dev ## everything, with branch coverage of at least 90 %
	@$(BIN)/coverage erase
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --cov --cov-branch --cov-fail-under=90

.PHONY: test-fast
test-fast: $(VENV)/.dev ## what needs neither a database nor Airflow nor training; under a minute
	$(BIN)/pytest -n 2 -m 'not slow'

.PHONY: check
check: $(VENV)/.dev ## lint, format, types, import layers, lock files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/check_lock.py

.PHONY: fix
fix: $(VENV)/.dev ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(VENV)/.dev ## measure scoring and serving; the tables stand in benchmarks/README.md
	$(BIN)/python -m benchmarks

.PHONY: quality
quality: $(VENV)/.dev ## measure forecasts and lists over many shops, beside the usual methods
	$(BIN)/python -m benchmarks.quality

.PHONY: lock
lock: $(VENV)/.runtime ## resolve requirements*.in again for Python 3.11 to 3.13
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade -c requirements.txt docker/requirements.in -o docker/requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade benchmarks/quality/requirements.in -o benchmarks/quality/requirements.txt
	for peer in benchmarks/online/peers/requirements/*.in; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade $$peer -o $${peer%.in}.txt || exit 1; \
	done
