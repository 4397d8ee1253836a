# Bare `make` lists the targets; each sets up what it needs by itself.
# Pass arguments with ARGS: make demo ARGS="--no-serve --seed 7"

# The first interpreter on the path that is new enough, unless PYTHON names one.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
BIN := .venv/bin
READY := .venv/.ready
PREVIOUS := build/previous
LITELLM := build/litellm
ALONE := build/alone
RESOLVE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
COMPILE := $(RESOLVE) --no-emit-package switchgear --extra dashboard --extra cache

.DEFAULT_GOAL := help
.PHONY: help install demo up test test-slow check bench bench-analytics bench-cache bench-dashboard bench-decisions bench-fairness bench-ingest bench-overspend bench-pricing bench-priority bench-projection bench-reports bench-sdk bench-storm pictures test-previous test-wheel kills engine-kills ledger-kills fuzz laws schemathesis lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## make .venv with everything in it (quick when nothing changed)

$(READY): requirements.lock pyproject.toml sdk/pyproject.toml
	@test -n "$(PYTHON)" || { echo "switchgear needs Python 3.11 or newer and found none; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "switchgear needs Python 3.11 or newer; $(PYTHON) is older or missing. Name another: make PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv (some minutes the first time)"; $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e sdk -e .
	@touch $@

demo: install ## play the incident without and with switchgear, then serve the dashboard
	$(BIN)/switchgear demo $(ARGS)

up: install ## run collector, policies and dashboard on this machine, data in ./data
	$(BIN)/switchgear up $(ARGS)

# A worker more than there are cores, and a file's tests in one: they share what is dear to start. Both the number and the
# order are those of tests/conftest.py, as the longest files are not those of the most tests. Where the environment forbids Python to keep
# what it compiles, each of the many services that tests start would compile all of switchgear anew, for seconds.
test: install ## run the test suite on all cores (ARGS="-n0 tests/sdk -k usage": some of it, one by one)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: install ## run the tests that take longer than the suite allows (some minutes)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m slow --ignore tests/sdk/integrations $(ARGS)

# They stand before the newest on the path, and share whatever else those need: both majors run on the same versions.
test-previous: $(PREVIOUS)/.ready ## run the guard's tests under the previous major versions of the provider SDKs
	@PYTHONPATH=$(PREVIOUS) $(BIN)/python -c 'import anthropic, openai; print("anthropic", anthropic.__version__, "openai", openai.__version__)'
	PYTHONPATH=$(PREVIOUS) $(BIN)/python -m pytest tests/sdk/test_guarded_calls.py tests/sdk/frameworks $(ARGS)

$(PREVIOUS)/.ready: requirements-previous.lock $(READY)
	@rm -rf $(PREVIOUS)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target $(PREVIOUS) -r $<
	@touch $@

# In an environment of its own, of the lock's versions; what tests are written with comes after the wheel stood by itself.
test-wheel: install ## install the SDK's wheel alone, and run the SDK's tests there that need no server
	@rm -rf $(ALONE)
	@$(BIN)/python -m venv $(ALONE)
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir $(ALONE)/wheel ./sdk
	@sed -n '/^[a-z]/s/ \\$$//p' requirements.lock > $(ALONE)/pins.txt
	@$(ALONE)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(ALONE)/pins.txt $(ALONE)/wheel/*.whl
	@$(ALONE)/bin/python -m pip check && $(ALONE)/bin/python -c 'import switchgear.testing; print(switchgear.__file__)'
	@$(ALONE)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(ALONE)/pins.txt \
		pytest pytest-asyncio hypothesis openai anthropic boto3 google-genai
	$(ALONE)/bin/pytest tests/sdk $(ARGS)

test-litellm: $(LITELLM)/.ready ## run LiteLLM's proxy with our callback, in an environment of its own (770 MB, made once)
	$(BIN)/python -m pytest -m slow tests/sdk/integrations $(ARGS)

$(LITELLM)/.ready: requirements-litellm.lock sdk/pyproject.toml | $(READY)
	@rm -rf $(LITELLM)
	@$(BIN)/python -m venv $(LITELLM)
	@$(LITELLM)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@$(LITELLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e sdk
	@touch $@

check: install ## lint, format, types, import direction
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install ## run the benchmarks that take seconds and print their figures
	@for script in tagging holds decoding; do echo "== $$script"; $(BIN)/python benchmarks/$$script.py || exit 1; done

bench-analytics: install ## ask ten million calls for scans, rollups, lines and costs (ARGS=--quick)
	$(BIN)/python benchmarks/chargeback.py $(ARGS)

bench-cache: install ## serve answers by meaning on streams of known truth (20 min; STREAM=FILE PAIRS=FILE: on yours; ARGS=--quick)
	@status=0; $(BIN)/python benchmarks/cached.py $(if $(STREAM),--stream $(STREAM)) $(if $(PAIRS),--pairs $(PAIRS)) $(ARGS) || status=$$?; \
		$(if $(STREAM)$(PAIRS)$(ARGS),,$(BIN)/python benchmarks/cache_lookup.py || status=$$?;) exit $$status

bench-dashboard: install ## open each page over a million calls in headless Chromium, filter, and watch Live (3 to 8 min)
	@status=0; $(BIN)/python benchmarks/dashboard_pages.py $(ARGS) || status=$$?; \
		$(BIN)/python benchmarks/dashboard_live.py || status=$$?; exit $$status

bench-decisions: install ## ask for decisions and grants over HTTP, alone and while spans come in (ARGS=--quick)
	$(BIN)/python benchmarks/decisions.py $(ARGS)

bench-fairness: install ## share one capacity in virtual time, beside first come and strict priority (ARGS=--quick)
	$(BIN)/python benchmarks/fairness.py $(ARGS)

bench-ingest: install ## measure what the collector takes in, beside a peer (ARGS=--ten-million: a full store)
	$(BIN)/python benchmarks/ingest.py $(ARGS)

bench-overspend: install ## race 200 agents at a ceiling, beside three rules and two peers (ARGS=--quick)
	$(BIN)/python benchmarks/overspend.py $(ARGS)

bench-pricing: install ## price calls one by one and at once, beside two other calculators (ARGS=--no-peer)
	$(BIN)/python benchmarks/pricing.py $(ARGS)

bench-priority: install ## flood one process with background calls, with and without the scheduler (ARGS=--quick)
	$(BIN)/python benchmarks/priority.py $(ARGS)

bench-projection: install ## judge projections and breakers on many tenants' weeks (ARGS="--traces FILE...": on yours)
	@status=0; $(BIN)/python benchmarks/projection.py $(ARGS) || status=$$?; \
		$(BIN)/python benchmarks/projection_tasks.py $(ARGS) || status=$$?; exit $$status

bench-reports: install ## ask ten million calls three questions, call by call and from their sums
	$(BIN)/python benchmarks/reports.py $(ARGS)

bench-sdk: install ## measure what the SDK adds to a call, beside two gateways (ARGS=--quick; ARGS="--only peers")
	$(BIN)/python benchmarks/guarded.py $(ARGS)

bench-storm: install ## cut a provider's limit to a tenth under 500 agents, with three ways to retry and ours (ARGS=--quick)
	$(BIN)/python benchmarks/storm.py $(ARGS)

pictures: install ## take the pictures of record of a running dashboard (ARGS=http://127.0.0.1:8501)
	$(BIN)/python benchmarks/dashboard_pictures.py $(ARGS)

kills: install ## kill a loaded collector a hundred times and look for what it lost (ARGS="--rounds 10 --seed 7")
	PYTHONPATH=tests/support:benchmarks $(BIN)/python tests/campaigns/kills.py $(ARGS)

engine-kills: install ## kill a loaded policy engine fifty times and look for grants that it lost (ARGS="--rounds 10 --seed 7")
	PYTHONPATH=tests/support:benchmarks $(BIN)/python tests/campaigns/engine_kills.py $(ARGS)

ledger-kills: install ## kill a collector fifty times while it closes a month (ARGS="--rounds 10 --seed 7")
	PYTHONPATH=tests/support:benchmarks $(BIN)/python tests/campaigns/ledger_kills.py $(ARGS)

fuzz: install ## throw mutated requests at the decoder for ten minutes (ARGS="-max_total_time=60" for one)
	$(BIN)/python tests/support/fuzz.py $(ARGS)

laws: install ## try each law on thirty times as many examples as the suite (ARGS="-k contract": some of them)
	$(BIN)/python -m pytest -n auto --maxprocesses 8 -m hypothesis --hypothesis-profile=long $(ARGS)

schemathesis: install ## ask the services ten thousand things that their OpenAPI documents allow or forbid
	PYTHONPATH=tests/support:benchmarks $(BIN)/python tests/campaigns/openapi.py $(ARGS)

lock: install ## resolve the lock files anew (asks the package index)
	$(COMPILE) --upgrade --extra demo --extra grpc --group dev --output-file requirements.lock pyproject.toml sdk/pyproject.toml
	$(COMPILE) --constraints requirements.lock --group build --output-file requirements-image.lock pyproject.toml
	$(RESOLVE) --upgrade --no-deps --group previous --output-file requirements-previous.lock
	$(RESOLVE) --upgrade --no-emit-package switchgear --group pyproject.toml:litellm --output-file requirements-litellm.lock sdk/pyproject.toml

clean: ## remove .venv, caches and build output (not ./data)
	rm -rf .venv build dist sdk/dist test-output .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
