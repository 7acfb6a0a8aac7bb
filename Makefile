# make install   a virtual environment in .venv with everything pinned
# make demo      train a small GAN on avatars for some minutes, into runs/demo
# make test      lint and the whole test suite, a process on each core
# make lint      ruff and mypy
# make docs      the documentation as a site, in build/docs

PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo

.PHONY: install demo test lint format docs clean
.DELETE_ON_ERROR:

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ganzoo needs Python 3.11 or later")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[all,dev]'
	touch $@

demo: install
	rm -rf $(DEMO)
	$(BIN)/ganzoo train dcgan-avatars --out $(DEMO)
	@echo "Look at $(DEMO)/report.html, and at the newest picture in $(DEMO)/samples/"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every core runs files of tests, each with one thread: more threads than cores wait for each other.
# For one file, or with a debugger, call pytest on its own: .venv/bin/python -m pytest tests/cli/test_cli.py
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

docs: install
	$(BIN)/python docs/build.py build/docs
	@echo "Look at build/docs/html/index.html"

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv runs build dist
