# Make is the one entry: people and CI run the same targets.
# `make help` lists them. Logic lives in harness/, never here.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ENV ?= local
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DYNO := $(BIN)/dyno

# Stamps: each part of the set-up is done once, and again only when its input changes.
PYTHON_READY := $(VENV)/.ready
NODE_READY := node_modules/.ready

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nVariables: ENV=local|dev|test|prod (now %s), RUN=run id, KEEP=1, ARGS="flags for dyno"\n' '$(ENV)'

.PHONY: setup
setup: $(PYTHON_READY) $(NODE_READY) ## Install everything into .venv and node_modules, find or fetch Terraform

$(PYTHON_READY): requirements.lock scripts/bootstrap.lock pyproject.toml
	@scripts/setup-python '$(PYTHON)' '$(VENV)'
	@touch $@

$(NODE_READY): package.json package-lock.json .npmrc
	@scripts/setup-node
	@touch $@

.PHONY: lock
lock: $(PYTHON_READY) ## Renew requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet \
	  --output-file requirements.lock
