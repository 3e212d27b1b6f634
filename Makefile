# Make is the one entry: people and CI run the same targets. Logic lives in harness/.
# Note that make itself exits with 2 whenever a command fails; the status that tells an SLO
# missed (1) from a mistake (2) and a failed step (3) is dyno's: .venv/bin/dyno run --help

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Containers have it set; each of the hundred programs that tests start would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

ENV ?= local
RUN ?=
REPO ?=
KEEP ?=
BASELINE ?=
ARGS ?=
PYTHON ?= python3
WORKERS ?= 2
N ?= 60
TAG ?=

VENV := .venv
BIN := $(VENV)/bin
# Not .venv/bin/dyno and the like: pip's launchers name their interpreter by its whole path, and a
# shell reads that, with whatever quotes and dollars there are in it.
PYTHON_OF_VENV := $(BIN)/python
DYNO := $(PYTHON_OF_VENV) -m lambda_dyno
PYTEST := $(PYTHON_OF_VENV) -m pytest
OF_RUN := $(if $(RUN),--run '$(RUN)')

# Stamps: each part of the set-up is done once, and again only when its input changed.
PYTHON_READY := $(VENV)/.ready
NODE_READY := node_modules/.ready
READY := $(PYTHON_READY) $(NODE_READY)

.PHONY: help
help: ## List the targets
	@bold=; plain=; if [ -t 1 ] && [ -z "$${NO_COLOR:-}" ] && [ "$${TERM:-dumb}" != dumb ]; then bold='\033[1m'; plain='\033[0m'; fi; \
	  awk -v bold="$$bold" -v plain="$$plain" 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %s%-13s%s %s\n", bold, $$1, plain, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '\nVariables: ENV=local|dev|test|prod (now %s), RUN=run id (the newest), KEEP=1,\n           BASELINE=branch, run id or result.json (gate), ARGS="flags for dyno"\n' '$(ENV)'

.PHONY: setup
setup: $(READY) ## Install everything into .venv and node_modules (once)

.PHONY: bootstrap
bootstrap: $(READY) ## Prepare ENV's account: state bucket, roles for REPO=owner/name
	@$(DYNO) bootstrap --env '$(ENV)' $(if $(REPO),--repo '$(REPO)') $(ARGS)

.PHONY: tune
tune: $(READY) ## The main job: deploy, tune, load, judge, report, take down
	@$(DYNO) run --env '$(ENV)' $(if $(KEEP),--keep) $(ARGS)

.PHONY: run
run: tune ## The same by the name that dyno has for it: dyno run

.PHONY: up
up: $(READY) ## Deploy ENV and leave it standing
	@$(DYNO) up --env '$(ENV)' $(ARGS)

.PHONY: smoke
smoke: $(READY) ## Ask every operation of a standing environment once
	@$(DYNO) smoke $(OF_RUN) $(ARGS)

.PHONY: load
load: $(READY) ## Load the API of a standing environment
	@$(DYNO) load $(OF_RUN) $(ARGS)

.PHONY: gate
gate: $(READY) ## The gates (tests/gates), each worker in an environment of its own
	@$(PYTEST) tests/gates --env '$(ENV)' -v -n '$(WORKERS)' --dist loadfile -o timeout=0 \
	  $(if $(KEEP),--keep) $(if $(BASELINE),--baseline '$(BASELINE)') $(ARGS)

# Of the newest run that has a result; a folder for a cache or an artefact (.github/workflows/main.yml)
.PHONY: main-evidence
main-evidence: $(READY) ## Keep the newest run in main-evidence/, for dyno comment --baseline
	@scripts/main-evidence $(DYNO)

.PHONY: report
report: $(READY) ## Write a run's report again
	@$(DYNO) report $(OF_RUN) $(ARGS)

.PHONY: down
down: $(READY) ## Take a standing environment down
	@$(DYNO) down $(OF_RUN) $(ARGS)

.PHONY: plan
plan: $(READY) ## Show what ENV would consist of; nothing is deployed
	@$(DYNO) plan --env '$(ENV)' $(ARGS)

.PHONY: sweep
sweep: $(READY) ## Take down environments that expired or whose owner is gone
	@$(DYNO) sweep $(ARGS)

# Tests wait more than they work: two of them per core.
test test-all test-lowest: WORKERS = $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 2 )))
# A file's tests share what it deploys. pyproject.toml has the longest folder first: nobody waits
# for one long file at the end.
BY_FILE := --dist loadfile --no-loadscope-reorder

# Of a new clone Python compiles all that is imported: once, while npm waits, not in each worker.
.PHONY: compiled
compiled: $(PYTHON_READY)
	@[ -e tests/__pycache__ ] || { mkdir -p tests/__pycache__; \
	  $(PYTEST) -qq --collect-only -m 'not slow' >/dev/null 2>&1 & }

.PHONY: test
test: $(PYTHON_READY) compiled $(NODE_READY) ## All tests but the slowest, on the embedded AWS: no account needed
	@$(PYTEST) -n '$(WORKERS)' $(BY_FILE) -m 'not slow' $(ARGS)

.PHONY: test-all
test-all: $(PYTHON_READY) compiled $(NODE_READY) ## All tests, the slowest too
	@$(PYTEST) -n '$(WORKERS)' $(BY_FILE) $(ARGS)

.PHONY: test-lowest
test-lowest: $(READY) ## Unit and contract tests with the oldest libraries that are allowed
	@scripts/test-lowest '$(WORKERS)' $(ARGS)

.PHONY: bench-gate
bench-gate: $(READY) ## Simulate how often the gates are wrong (quick: ARGS="--runs 50")
	@$(PYTHON_OF_VENV) -m tools.gate_simulation.report $(ARGS)

.PHONY: bench-tuner
bench-tuner: $(READY) ## Replay the tuner's decisions on measured curves, beside other tuners
	@$(PYTHON_OF_VENV) -m tools.tuner_bench $(ARGS)

.PHONY: bench-history
bench-history: $(READY) ## Simulate how often the history's change points are wrong
	@$(PYTHON_OF_VENV) -m tools.history_simulation $(ARGS)

.PHONY: fidelity
fidelity: $(READY) ## Hold the local Lambda against AWS's measurements (ARGS="--curves FILE")
	@$(DYNO) local fidelity $(if $(findstring --curves,$(ARGS)),,--meter) $(ARGS)

.PHONY: faults
faults: $(READY) ## Kill N runs at random moments, and look what a sweep leaves
	@$(PYTHON_OF_VENV) -m tests.faults --runs '$(N)' $(ARGS)

.PHONY: trials
trials: $(READY) ## Compare a function with itself and a slower one, N times each
	@$(PYTHON_OF_VENV) -m tests.trials --runs '$(N)' $(ARGS)

.PHONY: tuner-trials
tuner-trials: $(READY) ## Tune five functions N times on the embedded AWS: right, true, at what cost
	@$(PYTHON_OF_VENV) -m tests.tuner_trials --tunings '$(N)' $(ARGS)

.PHONY: lint
lint: $(READY) ## Check style, types, Terraform, state machine, shell, workflows
	@scripts/lint

# Too heavy for the lock file: fetched when it is asked for, and kept by uv.
CHECKOV := 3.3.30

.PHONY: checkov
checkov: $(READY) ## Look for insecure settings in the Terraform (fetches checkov)
	@$(BIN)/uv tool run --quiet checkov@$(CHECKOV) --directory modules --directory envs \
	  --framework terraform --skip-download --quiet --compact $(ARGS)

.PHONY: fmt
fmt: $(READY) ## Format Python and Terraform
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .
	@$(PYTHON_OF_VENV) -m lambda_dyno.terraform.toolchain fmt -recursive -list=false .

.PHONY: docs
docs: $(READY) ## Write the generated tables of the modules' READMEs
	@$(PYTHON_OF_VENV) -m tools.module_docs
	@$(PYTHON_OF_VENV) -m tools.stairs_table

.PHONY: provider-untried
provider-untried: $(READY) ## Let the roots ask for AWS provider 6 (CI, in a checkout that is thrown away)
	@$(PYTHON_OF_VENV) -m tools.with_provider '~> 6.0'

# Tools of a release alone, in an environment of their own.
RELEASE := .cache/release
RELEASE_READY := $(RELEASE)/.ready

.PHONY: release-check
release-check: $(READY) ## Make sure that TAG is this version's, and that the changelog says what is new
	@$(PYTHON_OF_VENV) -m tools.release check '$(TAG)'

.PHONY: dist
dist: $(READY) $(RELEASE_READY) ## Build wheel and sdist into dist/, and look whether an index would take them
	@rm -rf dist
	@$(PYTHON_OF_VENV) -m hatchling build -t sdist -t wheel -d dist
	@$(RELEASE)/bin/python -m twine check --strict dist/*

.PHONY: test-wheel
test-wheel: $(READY) ## A clean user's first hour: install the wheel, dyno doctor, tune, load
	@$(PYTEST) tests/e2e/test_installed.py $(ARGS)

.PHONY: sbom
sbom: $(READY) $(RELEASE_READY) ## Write what a release is made of into sbom/, as CycloneDX
	@rm -rf sbom
	@scripts/sbom '$(RELEASE)' sbom

.PHONY: release-notes
release-notes: $(READY) ## Print what is new in TAG
	@$(PYTHON_OF_VENV) -m tools.release notes '$(TAG)'

# Of what other jobs have built and attested; gh finds the repository and its token by itself.
.PHONY: github-release
github-release: $(READY) ## Make GitHub's release of TAG with what is in dist/ and sbom/
	@mkdir -p .cache
	@$(PYTHON_OF_VENV) -m tools.release notes '$(TAG)' >.cache/release-notes.md
	@gh release create '$(TAG)' --verify-tag --title '$(TAG)' --notes-file .cache/release-notes.md dist/* sbom/*

.PHONY: image
image: ## Build the container image, and let it say what is in it (docker)
	@docker build --tag lambda-dyno .
	@docker run --rm lambda-dyno doctor

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
  --no-annotate --no-emit-index-url --quiet
EMULATOR := harness/lambda_emulator

.PHONY: lock
lock: $(READY) ## Renew the lock files: the harness's, and the embedded AWS's own
	@$(COMPILE) pyproject.toml --all-extras --output-file requirements.lock
	@$(COMPILE) pyproject.toml --extra history --extra pdf --constraint requirements.lock --output-file requirements-runtime.lock
	@$(COMPILE) scripts/release.in --output-file scripts/release.lock
	@$(COMPILE) $(EMULATOR)/requirements.in --output-file $(EMULATOR)/requirements.lock
	@npm install --package-lock-only --omit-lockfile-registry-resolved --prefix $(EMULATOR)/node_runtime

.PHONY: clean
clean: ## Remove what set-up and tests made; runs/ stays, it may hold state
	@rm -rf $(VENV) $(VENV).lock node_modules .node.lock .cache .pytest_cache .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON_READY): requirements.lock scripts/bootstrap.lock pyproject.toml $(EMULATOR)/requirements.lock $(EMULATOR)/node_runtime/package-lock.json
	@scripts/setup-python '$(PYTHON)' '$(VENV)'

$(NODE_READY): package.json package-lock.json .npmrc
	@scripts/setup-node

$(RELEASE_READY): scripts/release.lock
	@'$(PYTHON)' -m venv --clear '$(RELEASE)'
	@$(RELEASE)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@touch $@
