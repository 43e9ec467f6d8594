# `make demo` watches a simulated machine sort; `make test` runs everything. Both set themselves up the first time.
PYTHON ?= python3
VENV := .venv
CORE := .venv-core
PIP = $(@D)/bin/python -m pip install --quiet --disable-pip-version-check
COINS ?= 300
SEED ?= 1
SEEDS ?= 1 2 3 4 5
APT ?= yes
TESTS ?= tests benchmarks

.PHONY: help demo train test unit test-core lint format coverage docs arm64 bars crowns clean install rollback uninstall

help:
	@echo "make demo [COINS=300 SEED=1]   a simulated machine sorts, from a fresh checkout to a picture"
	@echo "make train                     adds what training needs (some 2 GB); then use coinsorter-train"
	@echo "make test                      every test; those that need what is not here say so"
	@echo "make unit                      the machine's unit tests alone, on two cores: in two minutes"
	@echo "make test-core                 the machine's tests without training's packages: on Python 3.11 with tflite-runtime alone"
	@echo "make lint                      ruff, its formatting, and mypy: prints nothing where all is well"
	@echo "make format                    formats the code and mends what can be mended by machine"
	@echo "make coverage                  the unit tests, and which lines of the code they never reach"
	@echo "make docs                      builds the documents strictly, into docs/_build/html"
	@echo "sudo make arm64                the wheels for a Pi resolve, and the bundles answer rightly on an emulated one"
	@echo "make bars                      the figures that the project promises, with the photographs where they are"
	@echo "make crowns                    train the simulated currency's bundle again (half an hour)"
	@echo "sudo make install              on a Raspberry Pi: everything it needs to sort on power-up; see docs/installation.md"
	@echo "sudo make rollback             the release that was installed before, again"
	@echo "sudo make uninstall            remove it all but the ledger and the settings"
	@echo "make clean                     remove the virtual environment and what was made"

demo: $(VENV)/.demo
	$(VENV)/bin/coinsorter run --simulate --coins $(COINS) --seed $(SEED)

train: $(VENV)/.train

test: $(VENV)/.test
	$(VENV)/bin/python -m pytest $(TESTS)

unit: $(VENV)/.lint
	$(VENV)/bin/python -m pytest --quiet -n 2 --dist loadfile --ignore tests/unit/training tests/unit

test-core: $(CORE)/.test
	$(CORE)/bin/python -m pytest $(TESTS)

lint: $(VENV)/.lint
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check .
	@$(VENV)/bin/mypy --no-error-summary

format: $(VENV)/.lint
	$(VENV)/bin/ruff check --quiet --fix-only .
	$(VENV)/bin/ruff format --quiet .

coverage: $(VENV)/.lint
	$(VENV)/bin/python -m pytest tests/unit --cov --cov-report=term

# Strict: a dead link, an unknown reference or an undocumented public name fails.
docs: $(VENV)/.docs
	$(VENV)/bin/ruff check --quiet --select D100,D101,D102,D103,D104,D106 coinsorter
	$(VENV)/bin/python -m tools.reference --check
	$(VENV)/bin/sphinx-build -W --keep-going --quiet -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

arm64: $(CORE)/.test
	$(CORE)/bin/python -m tests.arm64.run

bars: $(VENV)/.test
	$(VENV)/bin/python -m benchmarks.bars --seeds $(SEEDS)

crowns: $(VENV)/.test
	$(VENV)/bin/coinsorter-train bundle --recipe models/crowns.yaml --out models/crowns --force

# The system's own Python, whatever is first in the path: its environment is to see the packages of apt.
install rollback uninstall:
	@APT='$(APT)' PIP_ARGS='$(PIP_ARGS)' /usr/bin/python3 packaging/install.py $@

clean:
	rm -rf $(VENV) $(CORE) demo build *.egg-info

$(VENV)/bin/python $(CORE)/bin/python:
	$(PYTHON) -m venv $(@D)/..

# run-time dependencies only
$(VENV)/.demo: $(VENV)/bin/python setup.cfg pyproject.toml
	@echo "setting up $(VENV) (once)"
	$(PIP) --editable .
	touch $@

$(VENV)/.train: $(VENV)/.demo
	@echo "adding what training needs (once)"
	$(PIP) --editable '.[train]'
	touch $@

$(VENV)/.test: $(VENV)/.train
	@echo "adding what tests need (once)"
	$(PIP) --editable '.[train,test]'
	touch $@

$(VENV)/.docs: $(VENV)/.lint
	@echo "adding what builds the documents (once)"
	$(PIP) --editable '.[train,test,lint,docs]'
	touch $@

$(VENV)/.lint: $(VENV)/.test
	@echo "adding what checks the code (once)" >&2
	@$(PIP) --editable '.[train,test,lint]'
	@touch $@

# tflite-runtime alone, without LiteRT: the fallback, as on a 32-bit Raspberry Pi OS
$(CORE)/.test: $(CORE)/bin/python setup.cfg pyproject.toml
	@echo "setting up $(CORE) (once)"
	$(PIP) --editable '.[test,tflite]'
	$(@D)/bin/python -m pip uninstall --quiet --yes ai-edge-litert
	touch $@
