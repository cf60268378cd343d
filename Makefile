# `make help` lists what there is. Everything works on Debian 12 or 13 with a Rust toolchain; `make setup` gets the rest.

CARGO ?= cargo
DEMO_SECONDS ?= 20
FUZZ_SECONDS ?= 1800

# Results stay readable and complete: no colours into a file, no stop at the first crate that fails.
TEST = $(CARGO) test --no-fail-fast
# Whole guests take a processor each: one at a time.
SYSTEM_TEST = $(TEST) --package vgate-tests
ONE_AT_A_TIME = --test-threads=1 --nocapture

.NOTPARALLEL:
.PHONY: help setup build demo test test-long format lint unit system fuzz-brief fuzz fuzz-seeds docs deny bench spec conformance clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## get QEMU, a kernel and the host's packages, if missing
	@scripts/setup

build: ## build vgate, and the libraries of its shim
	$(CARGO) build --release
	$(CARGO) build --release --package guest-shim-i915 --package guest-shim-c --lib

demo: setup build ## two guests on one GPU, DEMO_SECONDS=20
	@scripts/setup mesa-13
	DEMO_SECONDS=$(DEMO_SECONDS) $(CARGO) run --quiet --release --package vgate-tests --bin demo

test: setup format lint unit system fuzz-brief docs deny ## all checks and tests but the long ones

format:
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check

lint:
	$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings

unit: ## the tests that need no guest
	$(TEST) --workspace --exclude vgate-tests

system: setup ## the tests with guests
	scripts/setup igt mesa disassembler
	$(SYSTEM_TEST) -- $(ONE_AT_A_TIME)

fuzz-brief: ## build the fuzz targets, and run each for 5 s
	scripts/fuzz 5

fuzz: ## run the fuzz targets, each FUZZ_SECONDS=1800, or those in TARGETS
	scripts/fuzz $(FUZZ_SECONDS) $(TARGETS)

fuzz-seeds: setup ## record two boots for the fuzz targets to start from
	$(CARGO) run --quiet --release --package vgate-tests --bin record
	scripts/fuzz seeds

docs: ## the programmer's documentation, in target/doc
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --quiet --workspace --no-deps

deny: ## licences and sources of all dependencies
	@command -v cargo-deny >/dev/null || $(CARGO) install --quiet --locked cargo-deny
	$(CARGO) deny --log-level error check bans licenses sources
	$(CARGO) deny --manifest-path fuzz/Cargo.toml --config deny.toml --log-level error check bans licenses sources

test-long: ## the tests that take long, the other kernels' too
	scripts/setup 6.1 7.3 igt mesa genxml
	$(TEST) --workspace --exclude vgate-tests -- --ignored
	$(SYSTEM_TEST) -- --ignored $(ONE_AT_A_TIME)

bench: ## the benches
	$(CARGO) bench --package vgate-benches

spec: setup build ## measure what SPECIFICATION.md promises
	$(CARGO) run --quiet --release --package vgate-tests --bin spec

conformance: build ## run IGT in guests, or --piglit, write docs/conformance.md; ARGS='--help' shows how to choose
	scripts/setup igt mesa-forky
	$(CARGO) run --quiet --release --package vgate-tests --bin conformance -- $(ARGS)

clean: ## remove what was built and fetched
	$(CARGO) clean
	$(CARGO) clean --manifest-path fuzz/Cargo.toml
	rm -rf target/guest
