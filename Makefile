# `make` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help setup demo test story lint format bench fuzz mutants clean

# Where Python may not keep what it compiled, each of the tests' thousands of processes compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what pycomfy needs here, and itself into .venv
	@scripts/setup.sh

demo: setup ## a workflow becomes an image, and the image a picture (the first time: about 5 GB of downloads)
	@scripts/demo.sh

test: setup ## the fast tests
	@folder="$$(.venv/bin/python -m tests.support.memory_folder)/t$$(date +%s)" && mkdir "$$folder" && \
	PYTEST_DEBUG_TEMPROOT="$$folder" .venv/bin/pytest -m 'not story' -n auto --dist loadfile --durations=10 \
		-o tmp_path_retention_policy=failed && rm -rf "$$folder"
	@scripts/web.sh test

story: ## the end-to-end tests: real Nix, real containers, real ComfyUI, a real browser
	@scripts/setup.sh story
	@.venv/bin/pytest -m story -n 2 --dist loadfile --durations=25

lint: setup ## style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@scripts/web.sh check & web=$$!; .venv/bin/mypy; types=$$?; wait $$web && exit $$types

format: setup ## put the style right
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

bench: ## the figures in benchmarks/, beside a Dockerfile's
	@scripts/setup.sh bench
	@.venv/bin/python -m benchmarks

fuzz: ## hostile inputs for a minute each, or as MINUTES=5 TARGET="lock bundle" say; faults are kept in tests/fuzz/faults
	@scripts/setup.sh fuzz
	@.venv/bin/python -m tests.fuzz --minutes $(or $(MINUTES),1) $(TARGET)

mutants: setup ## break the code in small ways, and tell what no test noticed (MUTANTS="MODULE … --number N --seed S")
	@.venv/bin/uv sync --locked --quiet --group mutants
	@.venv/bin/python -m tests.support.mutants $(MUTANTS)

clean: ## remove what the demo and the fuzzer made here (not the data folder, PYCOMFY_HOME)
	rm -rf demo .fuzz
