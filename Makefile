# Orderly: the commands a person types. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run run-cluster dev build test test-quick test-sanitize test-faults bench bench-cluster bench-lab fuzz format lint install clean

BUILD := build/release
PREFIX ?= /usr/local

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## install what is missing, build, serve on http://localhost:8000 (Ctrl-C ends it)
	@scripts/install_packages run
	@scripts/build release orderly
	@exec $(BUILD)/orderly serve

run-cluster: ## the same on real Kafka, Cassandra and Redis, started here without containers
	@scripts/install_packages run cluster
	@scripts/build release orderly cassandra
	@deploy/local/cluster up --for-load
	@deploy/local/cluster exec -- $(BUILD)/orderly setup
	@exec deploy/local/cluster exec -- $(BUILD)/orderly serve

dev: ## like run, but rebuild and restart when a source changes
	@scripts/install_packages run
	@scripts/dev

build: ## the full program at build/release/orderly
	@scripts/install_packages run
	@scripts/build release orderly cassandra

test: ## install what is missing, build, run all tests
	@scripts/install_packages run test cluster
	@scripts/build release all
	@scripts/python_env
	@ctest --preset release

test-quick: ## the inner loop: unit and embedded tests, under a minute
	@scripts/install_packages run test
	@scripts/build release all
	@ctest --preset release -L 'unit|contract|fuzz' -LE cluster -j 2

test-sanitize: ## all tests but the slowest under asan+ubsan, and those with threads under tsan
	@scripts/install_packages run test cluster
	@scripts/python_env
	@scripts/build asan all && ctest --preset asan
	@scripts/build tsan all && ctest --preset tsan

test-faults: ## the long fault, kill and model runs (about an hour)
	@scripts/install_packages run test cluster
	@scripts/build release all
	@scripts/python_env
	@MODEL_SEQUENCES=10000 KILL_ROUNDS=200 MODEL_CLUSTER_SEQUENCES=200 CLUSTER_FAULT_ROUNDS=60 ctest --preset release -L 'model|faults' -j 1 --timeout 7200

bench: ## ratios against nginx on this machine, as a table and JSON
	@scripts/install_packages run bench
	@scripts/build release orderly
	@bench/run

bench-cluster: ## ratios on real Kafka, Cassandra and Redis, against their own load tools
	@scripts/install_packages run bench cluster
	@scripts/build release orderly cassandra
	@bench/cluster

bench-lab: ## the hot-key lab's generator beside redis-benchmark
	@scripts/install_packages run
	@scripts/build release orderly
	@bench/lab

fuzz: ## each fuzzer for FUZZ_SECONDS (60) with clang
	@scripts/install_packages run test fuzz
	@scripts/build fuzz all
	@scripts/fuzz build/fuzz $(or $(FUZZ_SECONDS),60)

format: ## format the C sources
	@clang-format -i $$(git ls-files '*.c' '*.h')

lint: ## clang-tidy and cppcheck
	@scripts/install_packages run lint
	@scripts/build release all
	@scripts/lint $(BUILD)

install: build ## into PREFIX (/usr/local)
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean: ## remove what was built
	@rm -rf build
