# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv, once.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PROMPT ?= A cat running
OUT ?= cat.mp4

# A stamp is newer than pyproject.toml and constraints.txt exactly when the environment is up to date with them.
BASE := $(VENV)/.base-installed
DEV := $(VENV)/.dev-installed
SPEC := pyproject.toml constraints.txt

.PHONY: help demo test check format protos clean

help:
	@echo "make demo    generate $(OUT) from \"$(PROMPT)\" on this machine (base install, no torch)"
	@echo "make test    run the tests (installs the development extras)"
	@echo "make check   formatting, lint, types, import layers, generated code, tests"
	@echo "make format  rewrite the sources as 'make check' wants them"
	@echo "make protos  regenerate the gRPC code from protos/"
	@echo "make clean   remove $(VENV) and the caches"

demo: $(BASE)
	$(BIN)/eapg-split generate "$(PROMPT)" -o "$(OUT)" --policy pyramid

test: $(DEV)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python protos/generate.py --check
	$(BIN)/python -m pytest $(PYTEST_ARGS)

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: $(DEV)
	$(BIN)/python protos/generate.py

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || \
	  { echo "error: '$(PYTHON)' was not found. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "error: Python 3.11 or newer is needed, but this is %d.%d. Name a newer one: make PYTHON=python3.12" % sys.version_info[:2])'
	@$(PYTHON) -m venv "$(VENV)" || \
	  { rm -rf "$(VENV)"; echo "error: the virtual environment could not be made. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(BASE): $(SPEC) | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

# The development extras contain the base, so this stamp settles both.
$(DEV): $(SPEC) | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e ".[dev]"
	@touch $(BASE) $@

clean:
	rm -rf "$(VENV)" .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
