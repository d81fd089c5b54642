# `make demo` and `make test` are all the set-up there is: both create .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MLX := $(VENV)/.mlx
HOME_OF_DEMO := .demo
DEPLOYER := DEPLOYER_HOME=$(CURDIR)/$(HOME_OF_DEMO) $(BIN)/deployer

.PHONY: help demo test e2e-docker e2e-cloud lint check format bench bench-cloud bench-local clean

help:  ## Say what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...' >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[llama-cpp,handler]' --group dev
	touch $@

# 190 MB that only tests need; it has wheels for glibc 2.35 (Debian 12, Ubuntu 22.04) and macOS 14 on Apple silicon.
$(MLX): $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[mlx]' && touch $@ || \
	  echo 'MLX cannot be installed here: its tests are skipped, or fail where CI is set' >&2

examples/tiny/tiny.gguf: examples/tiny/generate.py $(READY)
	$(BIN)/python examples/tiny/generate.py $@

demo: $(READY) examples/tiny/tiny.gguf  ## Price an 8B model on a rented GPU, then serve a tiny one here
	$(DEPLOYER) plan -f examples/qwen3-8b.yaml --target cloud-gpu
	$(DEPLOYER) plan -f examples/tiny.yaml --target local
	$(DEPLOYER) up -f examples/tiny.yaml --target local --yes
	$(DEPLOYER) chat tiny-local 'Who are you?' || { $(DEPLOYER) down tiny-local; exit 1; }
	$(DEPLOYER) down tiny-local

test: $(READY) $(MLX)  ## Run the tests
	$(BIN)/python -m pytest -n 2

e2e-docker: $(READY)  ## Run the tests that need a Docker engine, and skip none
	CI=true $(BIN)/python -m pytest -n 2 tests/e2e/test_docker*.py

e2e-cloud: $(READY)  ## Boot a machine, and run cloud-gpu with a real Pulumi engine, killing `up` at 70 moments (an hour or more)
	CI=true DEPLOYER_E2E_CLOUD=1 DEPLOYER_KILLS=20 DEPLOYER_REMOVALS=50 \
	  $(BIN)/python -m pytest tests/e2e/test_machine*.py tests/e2e/test_cloud*.py

format: $(READY)  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(READY)  ## Format, lint, types and architecture, without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## Everything that must be green at every commit

bench: $(READY)  ## Measure what the README claims
	benchmarks/startup
	benchmarks/sizing
	benchmarks/prices
	benchmarks/fuzz
	benchmarks/simulate
	benchmarks/bench
	benchmarks/idle

bench-cloud: $(READY)  ## Measure cloud-gpu beside plain Pulumi, on an AWS emulator
	benchmarks/cloud

bench-local: $(READY)  ## Measure local: our overhead over docker run, and over the engine alone
	$(BIN)/python -m benchmarks.local

clean:  ## Remove the environment and everything made
	rm -rf $(VENV) $(HOME_OF_DEMO) build dist examples/tiny/tiny.gguf .mypy_cache .pytest_cache .ruff_cache
