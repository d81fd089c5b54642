# `make demo` and `make test` are all the set-up there is: both create .venv first, from the locks in requirements/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
READY := $(VENV)/.ready
MLX := $(VENV)/.mlx
HOME_OF_DEMO := .demo
DEPLOYER := DEPLOYER_HOME=$(CURDIR)/$(HOME_OF_DEMO) $(BIN)/deployer

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv installs in seconds. Where it cannot (no wheel for this machine, an index that only pip is told of), pip does;
# it leaves compiling to the import, for compiling all of Pulumi's AWS package takes longer than downloading it.
PIP := $(BIN)/python -m pip install --no-compile
INSTALL = $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r $(1) || $(PIP) --require-hashes -r $(1)
LOCK = $(BIN)/uv pip compile --quiet $(UPGRADE) --universal --generate-hashes --no-annotate \
  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.PHONY: help demo test test-newest test-oldest lock e2e-docker e2e-cloud lint check format docs bench bench-cloud bench-local clean

help:  ## Say what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(RUNTIME): requirements/runtime.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...' >&2; exit 2; }
	@echo '== Making $(VENV)'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo '== Installing uv, from requirements/uv.txt'
	@$(PIP) --quiet --require-hashes -r requirements/uv.txt || true
	@echo '== Installing what deployer needs: about 115 MB, from requirements/runtime.txt'
	@$(call INSTALL,$<)
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(READY): requirements/test.txt $(RUNTIME)
	@echo '== Installing what the tests need besides: about 150 MB, from requirements/test.txt'
	@$(call INSTALL,$<)
	@touch $@

# 190 MB that only tests need; it has wheels for glibc 2.35 (Debian 12, Ubuntu 22.04) and macOS 14 on Apple silicon.
$(MLX): requirements/mlx.txt $(READY)
	@echo '== Installing MLX: about 190 MB, from requirements/mlx.txt'
	@{ $(call INSTALL,$<); } && touch $@ || \
	  echo 'MLX cannot be installed here: its tests are skipped, or fail where CI is set' >&2

examples/tiny/tiny.gguf: examples/tiny/generate.py $(RUNTIME)
	$(BIN)/python examples/tiny/generate.py $@

demo: $(RUNTIME) examples/tiny/tiny.gguf  ## Price an 8B model on a rented GPU, serve a tiny one here, compare the three places
	$(DEPLOYER) plan -f examples/qwen3-8b.yaml --target cloud-gpu
	$(DEPLOYER) plan -f examples/tiny.yaml --target local
	trap 'exit 130' INT TERM; trap '$(DEPLOYER) down tiny-local' EXIT; \
	  $(DEPLOYER) up -f examples/tiny.yaml --target local --yes && $(DEPLOYER) chat tiny-local 'Who are you?'
	$(DEPLOYER) compare -f examples/qwen3-8b.yaml

test: $(READY) $(MLX)  ## Run the tests
	$(BIN)/python -m pytest -n 2

test-newest: RESOLUTION := highest
test-newest:  ## Run the unit tests on the newest versions that are allowed
test-oldest: RESOLUTION := lowest-direct
test-oldest:  ## Run the unit tests on the oldest versions that are allowed
test-newest test-oldest: test-%: $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-$*
	$(BIN)/uv pip install --quiet --python $(VENV)-$*/bin/python --resolution $(RESOLUTION) \
	  --editable '.[llama-cpp,handler,proxy]' --group dev
	$(VENV)-$*/bin/python -m pytest -n 2 tests/unit

lock: $(READY)  ## Write requirements/*.txt anew for pyproject.toml; UPGRADE=--upgrade takes the newest versions
	$(LOCK) pyproject.toml --extra llama-cpp --extra handler --extra proxy --group dev --output-file requirements/test.txt
	$(LOCK) pyproject.toml --extra llama-cpp --group demo --constraint requirements/test.txt --output-file requirements/runtime.txt
	$(LOCK) pyproject.toml --extra mlx --constraint requirements/test.txt --output-file requirements/mlx.txt
	$(LOCK) --group installer --constraint requirements/test.txt --output-file requirements/uv.txt

e2e-docker: $(READY)  ## Run the tests that need a Docker engine, and skip none
	CI=true $(BIN)/python -m pytest -n 2 tests/e2e/test_docker*.py

e2e-cloud: $(READY)  ## Boot a machine, and run cloud-gpu with a real Pulumi engine, killing `up` at 70 moments (an hour or more)
	CI=true DEPLOYER_E2E_CLOUD=1 DEPLOYER_KILLS=20 DEPLOYER_REMOVALS=50 \
	  $(BIN)/python -m pytest tests/e2e/test_machine*.py tests/e2e/test_cloud*.py

format: $(READY)  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## Write what the commands print into README.md and docs/
	$(BIN)/python -m docs.generate

lint: $(READY)  ## Format, lint, types and architecture, without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test  ## Everything that must be green at every commit

bench: $(READY)  ## Measure what the documents claim
	benchmarks/startup
	benchmarks/sizing
	benchmarks/prices
	benchmarks/fuzz
	benchmarks/simulate
	benchmarks/bench
	benchmarks/load
	benchmarks/idle

bench-cloud: $(READY)  ## Measure cloud-gpu beside plain Pulumi, on an AWS emulator
	benchmarks/cloud

bench-local: $(READY)  ## Measure local: our overhead over docker run, and over the engine alone
	$(BIN)/python -m benchmarks.local

clean:  ## Remove the environment and everything made
	rm -rf $(VENV) $(VENV)-newest $(VENV)-oldest $(HOME_OF_DEMO) build dist examples/tiny/tiny.gguf .mypy_cache .pytest_cache .ruff_cache
