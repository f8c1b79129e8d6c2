# The entry points; CI calls these too. `make help` lists them.
SHELL := bash
.DEFAULT_GOAL := help
TOOLS := $(CURDIR)/.tools/bin
export PATH := $(TOOLS):$(PATH)

# Passed on by `make run` and `make demo`, as in: make run ARGS="--data-dir /tmp/waymark"
ARGS ?=
# The last release, which the contract must stay compatible with; empty before the first.
RELEASE := $(shell git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null)
NEXTEST_PROFILE := $(if $(CI),ci,default)
SCRIPTS := .ci/run $(wildcard tools/*.sh) crates/testkit/postgres.sh

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-14s %s\n", $$1, $$2 }'

.PHONY: run
run: ## Build and start the three services in one process (ARGS="--data-dir FOLDER ...")
	cargo run --bin waymark -- dev $(ARGS)

.PHONY: demo
demo: ## Play the loop as a story against the running server
	cargo run --quiet --bin waymark -- demo $(ARGS)

# What the processes of a test run write, and where nextest says what the tests themselves wrote.
LOGS := $(CURDIR)/target/test-logs
OUTPUT := target/nextest/$(NEXTEST_PROFILE)/output.xml

.PHONY: test
test: tools ## Run all tests, examples in comments included, on SQLite, PostgreSQL and a real nats-server; then look for secrets in all that was logged
	@rm -rf $(LOGS) $(OUTPUT)
	@export WAYMARK_TEST_LOGS=$(LOGS); \
	if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --workspace --profile $(NEXTEST_PROFILE) && cargo test --workspace --doc --quiet; \
	else \
		echo "make test: cargo-nextest is not installed, so cargo test runs the same tests, slower"; \
		cargo test --workspace --no-fail-fast; \
	fi
	@tools/secrets.py $(LOGS) $$(ls $(OUTPUT) 2>/dev/null)

.PHONY: lint
lint: lint-tools ## Formatting, clippy, dependency rules, unused dependencies, architecture, spelling, scripts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo deny --log-level error check bans licenses sources
	cargo machete --skip-target-dir
	tools/architecture.sh
	typos
	shellcheck $(SCRIPTS)

.PHONY: advisories
advisories: lint-tools ## Check dependencies for known vulnerabilities (fetches the advisory database)
	cargo deny check advisories

.PHONY: fmt
fmt: ## Format the code and the contract
	cargo fmt --all
	@if command -v buf >/dev/null; then buf format --write proto; fi

.PHONY: schema
schema: tools ## Print the statements that the next migrations need: what tables declare and migrations lack
	@cargo run --quiet --package waymark-e2e --bin schema

.PHONY: proto
proto: tools ## Lint the contract, and compare it with the last release
	buf lint
ifeq ($(RELEASE),)
	@echo "make proto: no release tag yet, so there is no contract to stay compatible with"
else
	buf breaking --against '.git#tag=$(RELEASE)'
endif

.PHONY: bench
bench: tools ## Measure speed and memory against bare peers (optimised build; ARGS="reads writes events crowd idle dev" for some of it)
	@if [ -z "$(ARGS)" ] || [[ " $(ARGS) " == *" dev "* ]]; then cargo build --profile bench --bin waymark; fi
	cargo bench --package waymark-e2e --no-default-features --bench speed -- $(ARGS)
	@if [ -z "$(ARGS)" ]; then cargo bench --package waymark-stats --bench order; cargo bench --package waymark-planner --bench plan; cargo bench --package waymark-access --bench tokens --bench policies; cargo bench --package waymark-lake --bench properties; fi

.PHONY: bench-scale
bench-scale: tools ## Measure what calls cost in a workspace of SIZE initiatives beside a tenth of it, and beside plain SQL (optimised build, minutes; ARGS="targets goals" for some of it)
	cargo bench --package waymark-e2e --no-default-features --bench speed -- scale $(or $(SIZE),100000) $(ARGS)

.PHONY: bench-analytics
bench-analytics: tools ## Measure product analytics beside ClickHouse, DuckDB and a bare loop on 20 million events (optimised build, minutes; ARGS="100 funnel" for others)
	@tools/fetch.sh bench
	cargo build --profile bench --bin waymark-metrics
	cargo bench --package waymark-e2e --bench analytics -- $(ARGS)

.PHONY: soak
soak: tools ## Run the long fault and load tests
	cargo test --package waymark-e2e --profile bench -- --ignored --test-threads 1 --nocapture

# Policies of row-level security must hold, and find what they should, however the planner goes about it. What counts the pages
# that are read is left out.
PLANS := enable_nestloop=off \
	enable_hashjoin=off,enable_mergejoin=off \
	enable_seqscan=off \
	enable_indexscan=off,enable_indexonlyscan=off,enable_bitmapscan=off \
	plan_cache_mode=force_generic_plan

.PHONY: plans
plans: tools ## Run the services' tests on a PostgreSQL that is kept from the plans it would rather make (minutes for each)
	@for settings in $(PLANS); do \
		echo "== $$settings"; \
		WAYMARK_TEST_POSTGRES_SETTINGS="$$(echo $$settings | tr , ' ')" cargo nextest run --no-fail-fast \
			--package waymark-store --package waymark-roadmap --package waymark-discovery --package waymark-metrics \
			-E 'not (test(plans::) | test(what_a_look_reads))' || exit; \
	done

.PHONY: deploy-check
deploy-check: tools ## Check the Dockerfile and the deployment files
	hadolint deploy/Dockerfile
	yamllint --strict --config-data '{extends: default, rules: {line-length: {max: 140}, document-start: disable}}' deploy/*.yaml
	@if docker compose version >/dev/null 2>&1; then \
		docker compose --file deploy/compose.yaml config --quiet; \
	else \
		echo "make deploy-check: docker compose is not installed, so compose.yaml was checked as YAML only"; \
	fi

.PHONY: tools
tools: ## Bring what make test needs into .tools/
	@tools/fetch.sh test

.PHONY: lint-tools
lint-tools: ## Bring what make lint needs into .tools/
	@tools/fetch.sh lint
