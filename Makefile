# Every command of this repository. `make` lists them; CI runs `check` and `test`.

.DEFAULT_GOAL := help
.PHONY: help run build wasm authsvc test e2e conformance matrix check bench bench-auth soak scan fmt clean
MAKEFLAGS += --no-print-directory

target := $(or $(CARGO_TARGET_DIR),target)
# One set of packages, features and profile for everything that is tested on the host: dependencies are built once.
host := --locked --workspace --exclude attache-filter
# Unit tests that keep something in a database: they run once more, on PostgreSQL.
stateful := account:: authorization:: broker:: discovery:: events:: federation:: keys:: registration:: routes:: token:: --skip store::
service := --locked --profile service -p attache-authsvc -p attache-tests

help: ## list the commands
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## start Envoy with the filter, authsvc and a demo MCP server; Ctrl-C stops them
	@scripts/envoy.sh
	@scripts/wasm.sh
	@cargo build $(service) --bin authsvc --bin run --bin demo_server
	@exec $(target)/service/run

build: wasm authsvc ## build the filter and the service

wasm: ## build the filter: target/attache.wasm
	@scripts/wasm.sh

authsvc: ## build the service: target/service/authsvc
	@cargo build $(service) --bin authsvc --bin run --bin demo_server

test: ## run every test: unit, property, snapshot, in Node.js, end to end (most of an hour from nothing)
	@scripts/end-to-end.sh
	@cargo build $(host) --lib --bins --tests
	@INSTA_UPDATE=no cargo test --no-fail-fast $(host)
	@ATTACHE_TEST_DATABASE=postgres INSTA_UPDATE=no cargo test --no-fail-fast $(host) --lib -- $(stateful)
	@scripts/wasm-test.sh

e2e: ## run the end-to-end tests: real Envoy, real servers, real clients
	@scripts/end-to-end.sh
	@cargo build $(host) --lib --bins --tests
	@INSTA_UPDATE=no cargo test --no-fail-fast $(host) --test '*'

conformance: ## the official conformance suite of MCP, direct and through the gateway, check by check
	@scripts/conformance.sh

matrix: ## the end-to-end tests and a part of the conformance suite on every Envoy from 1.36 to 1.40
	@scripts/matrix.sh

check: ## format, lints on host and wasm32, documentation, dependencies, files
	@scripts/lint.sh
	@RUSTDOCFLAGS='-D warnings' cargo doc --quiet --locked --workspace --no-deps
	@scripts/check-dependencies.sh
	@scripts/check-files.sh

bench: ## measure what the filter costs: Envoy with and without it
	@scripts/envoy.sh
	@scripts/wasm.sh
	@cargo build --quiet $(service) --bin authsvc --bin bench
	@exec $(target)/service/bench

bench-auth: ## measure what authsvc does in a second: registrations, logins, tokens, events; SQLite and PostgreSQL
	@scripts/postgres.sh
	@cargo build --quiet $(service) --bin authsvc --bin bench_auth
	@exec $(target)/service/bench_auth

soak: ## ten minutes of open streams, calls and clients that leave: memory stays flat, nothing is stuck or lost
	@scripts/soak.sh

scan: ## have wapiti attack the login, consent and account pages (installs 200 MB, once)
	@scripts/scan.sh

fmt: ## format the code
	@cargo fmt --all

clean: ## remove what was built and installed; attache.yaml and data/ stay
	@rm -rf target .venv .tools tests/clients/node_modules tests/conformance/node_modules
