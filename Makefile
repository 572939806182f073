# `make demo` and `make test` do all their own set-up. PYTHON may name another interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test install check reference constraints images docs clean

demo: $(VENV)/.installed
	$(BIN)/snakemrs demo demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not cluster and not containers"

install: $(VENV)/.installed

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("SnakeMRS needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[dev]'
	touch $@

# Format, lint and types, as CI checks them.
check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/pipeline/test_lint.py

# Files generated from the configuration's models.
reference: $(VENV)/.installed
	$(BIN)/python -m snakemrs.study.reference
	$(BIN)/python -m snakemrs.cli.reference

# Names and versions that this environment has, for reproducible installs.
constraints: $(VENV)/.installed-dev
	$(BIN)/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' > constraints.txt

# The container images that the rules name (needs Apptainer); they go to build/images or to SNAKEMRS_IMAGES.
images: $(VENV)/.installed
	$(BIN)/python containers/build.py

# The documentation site, in site/; a broken link is an error.
docs: $(VENV)/.installed-dev
	$(BIN)/mkdocs build --strict -q

clean:
	rm -rf $(VENV) demo build dist
