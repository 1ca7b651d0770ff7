# Each target sets up what it needs: a virtual environment in .venv and, as root on Debian, system packages.
.DEFAULT_GOAL := help
.PHONY: help setup test unit check lint hostile bench soak demo demo-nomad cluster cluster-down moves run

help: # Print this list
	@echo 'make TARGET, or its script; ARGS="…" goes to the script:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s .ci/%-13s %s\n", $$1, $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what this checkout needs into .venv
test: ## Run all tests, beside each other, or some: make test ARGS="tests/unit -k queue"
unit: ## Run the unit tests, which need no service
check: ## Run lint and unit
lint: ## Check format, lint, types and import rules
hostile: ## Aim hostile input, kills and interrupts at a cluster for an hour
bench: ## Measure the figures that the project promises
soak: ## Run what takes minutes to hours: kills, stops and load, again and again
demo: ## Serve a model that was just trained, from start to stop
demo-nomad: ## Do the same on a cluster of Nomad, Consul and Fabio
cluster: ## Start that cluster for development
cluster-down: ## Stop what cluster has started
moves: ## Check a commit that only moves files: make moves ARGS=COMMIT
run: ## Run what continuous integration does: lint and test

setup test unit check lint hostile bench soak demo demo-nomad cluster cluster-down moves run:
	@.ci/$@ $(ARGS)
