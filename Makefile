PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test docs mutants lint clean

demo: $(VENV)/.installed
	$(BIN)/armillary demo

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check
	$(BIN)/pytest --numprocesses auto --dist loadfile

# The documentation as a site, in site/.
docs: $(VENV)/.installed-dev
	$(BIN)/zensical build --strict

# Planted faults, each with the test that has to catch it: minutes.
mutants: $(VENV)/.installed-dev
	$(BIN)/python tests/mutants.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .cache site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Torch first, and below the versions of which there is no CPU build at hand: pip would take a larger build of a newer one.
$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check "torch>=2.7,<2.14"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[all]"
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[all,dev]"
	touch $@
