# Every task of this project. `make` alone prints them.
#
# NO_INSTALL=1   a task that misses a tool says so and fails, instead of installing it
# ARGS="…"       passed on to the program or the test runner that the task starts

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules

ARGS ?=
# How the images of `make compose-test` are built: `demo` is `release` without link-time work.
BUILD_PROFILE ?= demo
# What `make ci` does after `make test`, cheap first.
CI := fmt-check typos proto deps lint docs check-config conformance order-ratio compose-test

export CARGO_TARGET_DIR ?= $(CURDIR)/target
BIN := $(CARGO_TARGET_DIR)/debug
SCHEMA := $(CARGO_TARGET_DIR)/shop.binpb
HAVE_NEXTEST := $(shell command -v cargo-nextest)

.PHONY: help
help: ## Print the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build everything
	cargo build --workspace --locked

.PHONY: run
run: ## Run the shop until Ctrl-C: the gateway and its services, on this machine (ARGS="--fresh" forgets what was bought)
	@cargo run --locked -p e2e --bin demo -- run $(ARGS)

.PHONY: tour
tour: ## Play the lessons, against the shop that runs or one of their own (ARGS="03-login" plays one)
	@.ci/need curl
	@cargo run --locked -p e2e --bin demo -- tour $(ARGS)

.PHONY: test
test: ## Run every test; installs what is missing after saying what
	@.ci/need curl chromium chromedriver redis-server
ifneq ($(HAVE_NEXTEST),)
	cargo nextest run --workspace --locked $(ARGS)
	cargo test --workspace --locked --doc --quiet
else
	cargo test --workspace --locked --no-fail-fast $(ARGS)
endif

.PHONY: fmt
fmt: ## Format the code and the contracts
	cargo fmt --all
	.ci/tool buf format --write proto

.PHONY: fmt-check
fmt-check:
	cargo fmt --all --check

.PHONY: typos
typos: ## Look for misspelt words
	.ci/tool typos

.PHONY: proto
proto: ## Check the contracts
	.ci/tool buf lint proto
	.ci/tool buf format --diff --exit-code proto

.PHONY: deps
deps: ## Check the dependencies: none unused, none banned, known licences and sources
	@for name in $$(sed -n '/^\[workspace.dependencies\]/,/^\[/s/^\([a-z0-9_-]*\) *=.*/\1/p' Cargo.toml); do \
	  grep --quiet "^$$name\( *=\|\.workspace\)" */Cargo.toml services/*/Cargo.toml || { echo "Cargo.toml: no member uses $$name"; exit 1; }; \
	done
	.ci/tool cargo-machete
	.ci/tool cargo-deny --locked --all-features check --hide-inclusion-graph bans licenses sources

.PHONY: lint
lint: ## Check the code with clippy
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: docs
docs: ## Build the documentation of the code into target/doc
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --locked

.PHONY: check-config
check-config: ## Check the gateway's configurations, print what the shop exposes
	cargo build --workspace --locked --bins
	$(BIN)/proto $(SCHEMA)
	for file in gateway/gateway.yaml $(wildcard gateway/config/*.yaml); do \
	  SCHEMA=$(SCHEMA) $(BIN)/gateway --config "$$file" --check; \
	done

.PHONY: conformance
conformance: ## Run protobuf's own conformance suite: proto3 messages from JSON to wire bytes and back
	cargo build --locked -p gateway --example conformance
	@# The suite's version is fixed in .ci/tool, and this is how many of its tests are about JSON and proto3.
	@.ci/conformance $(CARGO_TARGET_DIR)/debug/examples/conformance 796 gateway/tests/conformance/exceptions.txt

.PHONY: compose-test
compose-test: ## Bring the shop up in containers, buy something, break something, leave nothing behind
	@.ci/need curl
	BUILD_PROFILE=$(BUILD_PROFILE) python3 e2e/tests/compose.py

.PHONY: ci
ci: ## Everything that a change must pass besides `make test`
	@for step in $(CI); do .ci/timed "$$step" $(MAKE) --no-print-directory "$$step"; done

.PHONY: bench
bench: ## Measure the CPU time of a request beside nginx and Envoy (ARGS="--only order --rounds 3")
	@.ci/need nginx
	@.ci/tool --where envoy >/dev/null
	cargo run --profile bench --locked -p e2e --bin bench -- $(ARGS)

.PHONY: bench-throughput
bench-throughput: ## Measure how fast messages are translated, beside prost-reflect (ARGS=order)
	cargo bench --locked -p gateway --bench throughput -- $(ARGS)

.PHONY: bench-instructions
bench-instructions: ## Count the instructions of a translation, beside prost-reflect (ARGS="*order")
	@.ci/need valgrind
	GUNGRAUN_RUNNER=$$(.ci/tool --where gungraun-runner) \
	  cargo bench --quiet --locked -p gateway --bench instructions -- --output-format=json $(ARGS) \
	  | python3 gateway/benches/instructions.py

.PHONY: bench-steps
bench-steps: ## Measure what token, limit and rule cost, without the request around them: timed, then counted (ten times each)
	@.ci/need valgrind
	cargo bench --locked -p gateway --bench steps
	GUNGRAUN_RUNNER=$$(.ci/tool --where gungraun-runner) \
	  cargo bench --quiet --locked -p gateway --bench steps_instructions

# The part of `make bench-instructions` that `make ci` does.
.PHONY: order-ratio
order-ratio:
	@$(MAKE) --no-print-directory bench-instructions ARGS='*order'

.PHONY: clean
clean: ## Remove everything that tasks have built or installed here
	cargo clean
	rm -rf .tools .shop
