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

.PHONY: dev-postgresql-reinit
dev-postgresql-reinit: setup ## Copy the leader to a replica anew: NODE=app-server-2.lan [CONFIRM=cluster]
	@tools/orchestrate reinit node="$${NODE:-}" confirm="$${CONFIRM:-}"

.PHONY: dev-postgresql-switchover
dev-postgresql-switchover: setup ## Make another node the leader, clients wait: TARGET_NODE= FORCE=1 DRY_RUN=1
	@tools/orchestrate switchover target_node="$${TARGET_NODE:-}" force="$${FORCE:-}"

.PHONY: dev-postgresql-failover
dev-postgresql-failover: setup ## Promote a node when the leader is dead: TARGET_NODE= CONFIRM= DRY_RUN=1
	@tools/orchestrate failover target_node="$${TARGET_NODE:-}" confirm="$${CONFIRM:-}" \
	  ask="Rows that the dead leader had not sent are lost."

.PHONY: dev-postgresql-backup
dev-postgresql-backup: setup ## Take a backup into state/postgresql/backups [FORMAT=directory]
	@tools/orchestrate backup format="$${FORMAT:-}"

.PHONY: dev-postgresql-backup-verify
dev-postgresql-backup-verify: setup ## Restore a backup into a throwaway PostgreSQL and compare [BACKUP=newest]
	@tools/orchestrate backup_verify backup_file="$${BACKUP:-}"

.PHONY: dev-postgresql-backups
dev-postgresql-backups: setup ## List the backups
	@$(LAB) exec controller -- salt-run postgres.backups

.PHONY: dev-postgresql-restore
dev-postgresql-restore: setup ## Bring the cluster up from a backup BACKUP=... [CONFIRM=cluster]
	@tools/orchestrate restore backup_file="$${BACKUP:-}" confirm="$${CONFIRM:-}"

.PHONY: bench-backup
bench-backup: setup ## Measure a backup against a bare pg_dump | gzip on the same data [ROWS=2000000]
	@tools/bench-backup

.PHONY: dev-postgresql-recover-etcd
dev-postgresql-recover-etcd: setup ## etcd lost, data fine: begin etcd anew below the leader (asks; DRY_RUN=1 plans)
	@tools/orchestrate recover_etcd confirm="$${CONFIRM:-}" ask="etcd begins anew, empty; see the plan with DRY_RUN=1."

.PHONY: dev-postgresql-recover-survivors
dev-postgresql-recover-survivors: setup ## Servers in LOST=a,b are gone for good: go on with the newest copy left (asks; DRY_RUN=1 plans)
	@tools/orchestrate recover_survivors lost="$${LOST:-}" confirm="$${CONFIRM:-}" ask="The servers $${LOST:-} are given up; see with DRY_RUN=1 what is lost."

.PHONY: dev-monitoring
dev-monitoring: dev-up ## Prometheus and the Alertmanager on the controller watch the cluster
	@images/build.sh monitoring
	images/save.sh .cache/images monitoring
	$(LAB) up # loads an image that has changed
	tools/orchestrate monitoring address=172.28.0.10

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
test: lint test-unit test-monitoring test-functional test-images test-integration ## Everything: lint, unit, functional, images, integration on a lab of its own

.PHONY: lint
lint: setup ## ruff, mypy, salt-lint, yamllint, shellcheck
	@tools/lint

.PHONY: test-unit
test-unit: setup ## No network, no Salt daemon; under a minute
	@$(PYTHON) -m pytest -n auto tests/unit tests/contract

.PHONY: test-monitoring
test-monitoring: setup ## Alert rules by promtool, dashboards and alerts against the exporter's catalogue
	@$(PYTHON) -m pytest -n auto tests/monitoring

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
	tests/compat/build.sh
	tools/chromium
	$(PYTHON) -m pytest tests/compat --show-capture=no

.PHONY: test-integration
test-integration: setup ## Deploy, deploy again, change, break: on a lab instance of its own
	@$(PYTHON) -m pytest tests/integration -m "not fault" --timeout 900

.PHONY: test-fault
test-fault: setup ## Slow fault scenarios on a lab of their own
	@$(PYTHON) -m pytest tests/integration -m fault --timeout 900

.PHONY: bench-switchover
bench-switchover: setup ## Ten switchovers under 50 pooled clients, and the write gap on 5432
	@$(PYTHON) -m tests.support.bench_switchover

.PHONY: bench-exporter
bench-exporter: setup ## Scrapes of the exporter beside postgres_exporter's and Patroni's own
	@$(PYTHON) -m tests.support.bench_exporter

## Building
.PHONY: images
images: setup ## Build the images of what runs on servers
	@images/build.sh

.PHONY: dashboards
dashboards: setup ## Write the dashboards and alerts of Grafana again from grafana/src and grafana/alerts
	@PYTHONPATH=.:exporter $(PYTHON) -m grafana.src

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
	  /^[a-z-]+:.*## / {printf "  %-32s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
