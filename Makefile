PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
CODE := core measure models tflite convert validate submit

.PHONY: help demo test test-wheel check install wheel bench clean

help:
	@echo "make demo     convert, judge and pack the bundled model; needs nothing but Python 3.11"
	@echo "make test     install what the tests need and run them against the checkout"
	@echo "make check    style, types, import direction"
	@echo "make test-wheel  run the suite against the built wheel"
	@echo "make bench    side by side with named peers; prints ratios"
	@echo "make install  reinstall after adding a file"

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pixelproof needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(VENV)/bin/python setup.py pyproject.toml constraints.txt
	@echo "installing into $(VENV) (the first time takes a minute or more)"
	$(PIP) install --upgrade pip "setuptools>=77" wheel -c constraints.txt
	$(PIP) install -c constraints.txt --no-build-isolation -e ".[dev]" --config-settings editable_mode=strict
	@touch $@

install: $(VENV)/bin/python
	@rm -f $(STAMP)
	@$(MAKE) --no-print-directory $(STAMP)

wheel: $(STAMP)
	rm -rf dist build/lib build/bdist*
	$(BIN)/python -m build --wheel --no-isolation -o dist . >/dev/null

demo: $(STAMP)
	$(BIN)/python benchmarks/../docs/demo.py

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/core/test_architecture.py

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-wheel: wheel
	rm -rf .wheel-site
	$(PIP) install --no-deps --target .wheel-site dist/*.whl
	PYTHONPATH=$(CURDIR)/.wheel-site PIXELPROOF_EXPECT=$(CURDIR)/.wheel-site $(BIN)/python -m pytest -n 2 --dist loadfile

bench: $(STAMP)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist .wheel-site *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
