# `make` without a target lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

VENV   := .venv
PYTHON := $(VENV)/bin/python
LAB    := $(PYTHON) -m lab

## Cluster on this machine
.PHONY: dev-postgresql-deploy
dev-postgresql-deploy: dev-up ## Bring up the lab and a whole cluster in it; run again to repair or change
	@tools/orchestrate deploy
	$(LAB) exec controller -- salt-run postgres.status

.PHONY: dev-postgresql-status
dev-postgresql-status: setup ## Show the cluster; exit status 1 when it is not healthy
	@$(LAB) exec controller -- salt-run postgres.status

.PHONY: dev-up
dev-up: setup ## Start the lab: four servers, the Salt master, the Coolify stand-in
	@$(LAB) up

.PHONY: dev-status
dev-status: setup ## Show the lab's servers and what runs on them
	@$(LAB) status

.PHONY: dev-down
dev-down: setup ## Stop the lab; data stays
	@$(LAB) down

.PHONY: dev-destroy
dev-destroy: setup ## Remove the lab and its data, after asking
	@$(LAB) destroy

.PHONY: dev-logs
dev-logs: setup ## Collect the logs of all servers in reports/logs
	@$(LAB) logs reports/logs

## Tests
.PHONY: test
test: lint test-unit test-functional test-images test-integration ## Everything: lint, unit, functional, images, integration on a lab of its own

.PHONY: lint
lint: setup ## ruff, mypy, salt-lint, yamllint, shellcheck
	@tools/lint

.PHONY: test-unit
test-unit: setup ## No network, no Salt daemon; under a minute
	@$(PYTHON) -m pytest tests/unit tests/contract

.PHONY: test-functional
test-functional: setup ## The real Salt loader over the composed tree
	@$(PYTHON) -m pytest tests/functional

.PHONY: test-images
test-images: setup ## HAProxy, PgBouncer and Patroni of the images read the files we write
	@lab/engine/ensure-engine.sh
	images/build.sh
	$(PYTHON) -m pytest tests/images

.PHONY: test-compat
test-compat: setup ## The exporter's wheel beside Patroni 3.3 and 4.1, PostgreSQL 15 to 17, etcd 3.4 and 3.5; its page in a browser
	@lab/engine/ensure-engine.sh
	images/build.sh base patroni
	tools/chromium
	$(PYTHON) -m pytest tests/compat --show-capture=no

.PHONY: test-integration
test-integration: setup ## Deploy, deploy again, change, break: on a lab instance of its own
	@$(PYTHON) -m pytest tests/integration -m "not fault" --timeout 900

.PHONY: test-fault
test-fault: setup ## Slow fault scenarios on a lab of their own
	@$(PYTHON) -m pytest tests/integration -m fault --timeout 900

## Building
.PHONY: images
images: setup ## Build the images of what runs on servers
	@images/build.sh

.PHONY: tree
tree: ## Write the tree that a Salt master serves to TREE=/srv/pgha
	@tools/tree "$${TREE:-/srv/pgha}"

.PHONY: lock
lock: setup ## Resolve the hash-pinned requirement files again
	@tools/lock

.PHONY: setup
setup: $(VENV)/.ready ## Python environment of the project

$(VENV)/.ready: requirements/dev.txt tools/setup
	@tools/setup "$(VENV)"
	touch $@

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} \
	  /^[a-z-]+:.*## / {printf "  %-28s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
