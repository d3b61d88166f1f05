# Every target makes what it needs: a virtual environment in .venv, with the package installed from this checkout.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench clean

demo: .venv/demo
	$(BIN)/tfgen demo

test: .venv/test
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist worksteal

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/test
	$(BIN)/python benchmarks/training.py 1
	$(BIN)/python benchmarks/training.py 2
	$(BIN)/python benchmarks/decoding.py
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/starting.py

clean:
	rm -rf .venv demo

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python setup.cfg requirements.txt
	$(BIN)/pip install --quiet --requirement requirements.txt --editable .
	touch $@

.venv/test: .venv/bin/python setup.cfg
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

.venv/dev: .venv/bin/python setup.cfg
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@
