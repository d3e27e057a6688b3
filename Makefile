# Every target sets up what it needs, on a fresh machine too; repeating a set-up is instant.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# -qq shows errors only: pip's warnings would put the addresses of package indexes into the logs.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint docs bench clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/.installed-core  ## run the built-in example (installs the core only)
	$(BIN)/partlabel demo

test: $(VENV)/.installed-test  ## run all tests, slow and browser ones too
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.installed-lint  ## check style, formatting, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs  ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.installed-test  ## run every script in benchmarks/
	@set -e; for script in $(sort $(wildcard benchmarks/*.py)); do \
		echo "$$script"; $(BIN)/python "$$script"; \
	done

clean:  ## remove everything that the other targets made
	rm -rf $(VENV) site dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-core: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

# Any extra brings the core with it.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e ".[$*]"
	@touch $(VENV)/.installed-core $@
