PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check -q
CODE := core measure models tflite convert validate submit
PACKING := setup.py pyproject.toml constraints.txt
OUT := demo_output
ROUNDS ?= 60
COUNT ?= 10000
SEED ?= 1

.PHONY: help demo test quick check install bench fuzz chaos clean

help:
	@echo "make demo     convert, judge and pack the bundled model; needs nothing but Python 3.11"
	@echo "make test     install what the tests need, build the wheel, run the suite against it"
	@echo "make check    style, types, import direction"
	@echo "make quick    the suite against the checkout, without building the wheel"
	@echo "make install  reinstall after adding a file"
	@echo "make bench    side by side with named peers; one table of ratios (BENCH=\"--quick --only a,b --json FILE\")"
	@echo "make fuzz     mutated models and zips, scanned, and run where the scan accepts them (COUNT=10000 SEED=1)"
	@echo "make chaos    commands killed at random moments, full and read-only disks: nothing may be left (ROUNDS=60 SEED=1)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "pixelproof needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make demo PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# What running needs.
$(VENV)/.installed: $(PACKING) | $(BIN)/python
	@echo "Installing into $(VENV): TensorFlow and its friends, about 2 GB; the first time takes a minute or more."
	@$(PIP) install --upgrade pip "setuptools>=77" wheel -c constraints.txt
	@$(PIP) install -c constraints.txt --no-build-isolation -e . --config-settings editable_mode=strict
	@touch $@

# What the tests need besides.
$(VENV)/.installed-dev: $(VENV)/.installed
	@$(PIP) install -c constraints.txt --no-build-isolation -e ".[dev]" --config-settings editable_mode=strict
	@touch $@

install: $(VENV)/.installed-dev
	@$(PIP) install --no-deps --no-build-isolation -e . --config-settings editable_mode=strict

demo: $(VENV)/.installed
	@$(PIP) install --no-deps --no-build-isolation -e . --config-settings editable_mode=strict
	@mkdir -p $(OUT)
	@echo "== 1. convert a checkpoint, and prove every file equal to it"
	$(BIN)/convert-model --model resnet_6_16 --ckpt models_pretrained/own-resnet_6_16-x4.weights.h5 --out $(OUT)/converted
	@echo "== 2. judge it by the rules of PIRM 2018, track A, on the bundled sample images"
	env -u PIXELPROOF_DATA $(BIN)/validate-pb $(OUT)/converted/model.pb --track A --max-runs 20 --json $(OUT)/report.json
	@echo "== 3. pack it"
	$(BIN)/package-submission --challenge pirm2018 --track A --team-id 42 --team-name "Demo" --model $(OUT)/converted/model.pb --report $(OUT)/report.json --out $(OUT)/submission.zip
	@echo
	@echo "These figures are of the bundled sample images, not of the challenge."
	@echo "Report: $(OUT)/report.json   Submission: $(OUT)/submission.zip"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/core/test_architecture.py

test: install
	@rm -rf dist build/lib build/bdist* .wheel-site
	@$(BIN)/python -m build --wheel --no-isolation -o dist . >/dev/null
	@$(PIP) install --no-deps --target .wheel-site dist/*.whl
	PYTHONPATH=$(CURDIR)/.wheel-site PIXELPROOF_EXPECT=$(CURDIR)/.wheel-site $(BIN)/python -m pytest -n 2 --dist loadfile

quick: install
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: install
	$(BIN)/python -m benchmarks $(BENCH)

fuzz: install
	$(BIN)/python tests/hostile/fuzz.py --count $(COUNT) --seed $(SEED)

chaos: install
	$(BIN)/python tests/hostile/chaos.py --rounds $(ROUNDS) --seed $(SEED)

clean:
	rm -rf $(VENV) build dist .wheel-site $(OUT) *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
