# The house's commands. `make run` and `make test` need nothing but Python 3.11 or later and a package index.

PYTHON ?= python3
BIN := .venv/bin
ENVIRONMENT := $(PYTHON) habitat/local/environment.py
# Tests run in this many processes, one more than the processors of a small machine: many wait for a browser, a broker
# or a server. Each has its own clone of the database.
JOBS ?= 3
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench tools format requirements stop

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

run: ## the whole house on this machine: database, demo cooperative, web server and worker
	@$(ENVIRONMENT) run
	@exec $(BIN)/python -m habitat.local.run

test: ## the whole suite, against a PostgreSQL of its own
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

check: ## format, lint, types, layers, missing migrations, deploy settings, dependency audit
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m habitat.local.check $(ARGS)

bench: ## the benchmarks; results below bench/results/
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m tests.benchmarks $(ARGS)

tools: ## Chromium, RabbitMQ and Node packages for the tests that need them (Debian, root)
	@$(ENVIRONMENT) dev
	@$(BIN)/python -m habitat.local.tools

format: ## put the code in the house's form
	@$(ENVIRONMENT) dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet . || true

requirements: ## compile requirements*.in into pinned, hashed requirements*.txt (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet -o requirements.txt requirements.in
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet -o requirements-dev.txt requirements-dev.in

stop: ## stop the PostgreSQL servers this checkout started (data stays)
	@for name in development test bench; do $(BIN)/python -m habitat.local.cluster stop $$name; done
