VENV   ?= .venv
PYTHON ?= python3
QUICK  ?=
JOBS   ?= $(shell env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 2)

BIN       := $(VENV)/bin
PIP       := $(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet --constraint constraints.txt
INSTALLED := $(VENV)/.installed
COMPARED  := $(VENV)/.compared
SMALL     := $(if $(QUICK),--quick)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test lab docs study benchmark clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "QUICK=1 makes demo, docs, study and test small; VENV=<folder>, PYTHON=<interpreter> and JOBS=<processes> replace the defaults."

venv: $(INSTALLED) ## install the package and its tools in .venv

# Torch goes first and alone: it is most of the download, and whatever build of it is found then is kept.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing torch in $(VENV) ..."
	@$(PIP) torch
	@echo "Installing gaia-explore and its tools in $(VENV) (some minutes the first time) ..."
	@$(PIP) --editable ".[test]"
	@touch $@

$(COMPARED): $(INSTALLED)
	@echo "Installing what the benchmark compares with in $(VENV) ..."
	@$(PIP) --editable ".[benchmark]"
	@touch $@

demo: venv ## train on the moons and write figures and scores to runs/demo
	$(BIN)/gaia-explore demo $(SMALL) --out runs/demo

study: venv ## run the 2-D study of the paper and write it to runs/study
	$(BIN)/gaia-explore study $(SMALL) --out runs/study

# What is first on this path wins: python3 is this environment's kernel, whatever else is installed by that name.
lab: venv ## open the notebooks in JupyterLab
	@echo "JupyterLab opens notebooks/ in a browser; its address is printed below. Ctrl-C twice ends it."
	JUPYTER_PATH="$(abspath $(VENV))/share/jupyter$${JUPYTER_PATH:+:$$JUPYTER_PATH}" $(BIN)/jupyter lab --notebook-dir=notebooks --LabApp.default_url=/lab/tree/0-start.ipynb --ServerApp.jpserver_extensions=gaia_explore.jupyter_nodelay=True

docs: venv ## execute all notebooks and write them as pages to runs/docs
	$(BIN)/python notebooks/make.py docs $(SMALL)

test: export OMP_NUM_THREADS = 1
test: venv ## lint, check types and imports, then run every test with coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal --durations 20 --cov $(if $(QUICK),-m "not slow" --cov-fail-under=0)

benchmark: $(COMPARED) ## time training steps, side by side with pythae
	$(BIN)/python tests/benchmarks/steps_per_second.py

clean: ## remove what the tools leave behind; .venv and runs/ stay
	rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	find gaia_explore tests -name __pycache__ -type d -prune -exec rm -rf {} +
