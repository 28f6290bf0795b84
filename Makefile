# make quickstart   environment, embedded benchmark, training, test, table and picture
# make test         environment and test suite
# make robustness   140 odd and broken files, 200 mutants, a soak of 20,000 samples (docs/robustness.md)
# make kills        100 kills of a training, resumed and compared (docs/training.md)
# make lint         environment and ruff
# make env          only the environment, in .venv (PYTHON=... chooses the interpreter)
# make clean        remove what the other targets made, except data and work_dirs

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for python in python3.11 python3; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
STAMP := .venv/installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --progress-bar off

.PHONY: env quickstart test robustness kills lint clean

env: $(STAMP)

# One call of pip for all packages, so that it solves them together. Only the large downloads
# and the summary of its output are shown; errors come whole, on the error stream.
$(STAMP): setup.py $(wildcard requirements/*.txt)
	@$(or $(PYTHON),python3) -c '$(SUPPORTED)' || { \
		echo 'Python 3.10 to 3.13 is needed (tested: 3.11). Name one: make PYTHON=/path/to/python3.11' >&2; \
		exit 1; }
	@$(PYTHON) -c 'import sys; print("Environment in .venv with Python", sys.version.split()[0], \
		"" if sys.version_info[:2] == (3, 11) else "(tested: 3.11)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo 'Installing (some 5 GB, about 2 minutes on a fast line) ...'
	@$(PIP) -r requirements/runtime.txt -r requirements/optional.txt -r requirements/tests.txt \
		-c requirements/constraints.txt \
		| { grep --line-buffered -E '[0-9]{2}\.[0-9] MB|^Installing|^Successfully' || true; } | cut -c -100
	@$(PIP) --quiet --no-deps --no-build-isolation -e .
	@touch $@

quickstart: env
	@$(BIN)/python tools/quickstart.py

# As many kills of a small training, each resumed and compared with an unbroken run.
kills: env
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.robustness.kills --kills 100

robustness: env
	@OMP_NUM_THREADS=1 $(BIN)/python tools/robustness.py --soak 20000

test: env
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q tests

lint: env
	@$(BIN)/ruff check

clean:
	rm -rf .venv build dist *.egg-info avgn_mm/.mim .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
