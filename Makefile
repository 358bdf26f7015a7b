# Each target sets up what it needs. `make solve` and `make test` are all a newcomer has to know.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: solve test check serve train evaluate lock clean help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
# uv reads its own variable only; pip's is honoured too, so that one set of local wheels serves both.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# The system's certificates, as for pip: behind a company's proxy there are no others.
export UV_SYSTEM_CERTS ?= true
UV := $(BIN)/uv
# The pins are complete: without --no-deps vLLM's own wishes would bring back the CUDA builds left out of them.
UV_INSTALL := $(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps
# Where no local wheel offers the CPU build of torch, uv fetches it from PyTorch's own index.
CPU_TORCH := $(if $(wildcard $(addsuffix /torch-*cpu*.whl,$(UV_FIND_LINKS))),,--torch-backend=cpu)
HAS_CUDA := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -c GPU)
ifeq ($(HAS_CUDA),)
RUNTIME := cpu
else ifeq ($(HAS_CUDA),0)
RUNTIME := cpu
else
RUNTIME := gpu
endif
PROBLEM ?= What is the derivative of x^3 - 4x at x = 2?

help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

solve: $(VENV)/.runtime  ## Solve PROBLEM="…" and watch.
	@$(BIN)/abaci solve "$${PROBLEM}"
# As it was typed: in mathematics a dollar sign is no variable.
solve: override export PROBLEM := $(value PROBLEM)

serve: $(VENV)/.runtime  ## Serve the REST API on 127.0.0.1:8080.
	$(BIN)/abaci serve

test: $(VENV)/.dev  ## Run the tests.
	$(BIN)/pytest

check: $(VENV)/.dev  ## Everything CI checks: format, lint, types, layers, tests.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory test

# On a CPU a third of the time went into page faults while glibc gave every large tensor's memory back at once.
train: export GLIBC_TUNABLES := glibc.malloc.hugetlb=1
train: export MALLOC_MMAP_THRESHOLD_ := 4294967296
train: export MALLOC_TRIM_THRESHOLD_ := 8589934592
train: $(VENV)/.runtime  ## Train the bundled model again (resumable); writes to build/training.
	$(BIN)/python -m training.train --config training/configs/$(RUNTIME).toml

evaluate: $(VENV)/.runtime  ## Measure the bundled model on held-out problems, SVAMP and GSM8K.
	$(BIN)/python -m training.evaluate

COMPILE := pip compile --quiet --no-header --python-version 3.11 --extra docker --extra redis --extra serve --extra eval
CPU_PINS := --overrides requirements/overrides.txt --extra cpu pyproject.toml requirements/torch-cpu.txt

lock: $(VENV)/.uv  ## Compile the pinned requirements anew from pyproject.toml.
	$(UV) $(COMPILE) $(CPU_TORCH) $(CPU_PINS) -o requirements/cpu.txt
	$(UV) $(COMPILE) $(CPU_TORCH) $(CPU_PINS) --group dev -o requirements/dev.txt
	UV_FIND_LINKS= $(UV) $(COMPILE) --extra gpu pyproject.toml -o requirements/gpu.txt

$(VENV)/.uv:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==0.13.8
	@touch $@


$(VENV)/.runtime: requirements/$(RUNTIME).txt pyproject.toml | $(VENV)/.uv
	@echo "Setting up abaci for $(RUNTIME) in $(VENV) (a few minutes the first time) …" >&2
	$(UV_INSTALL) $(if $(filter cpu,$(RUNTIME)),$(CPU_TORCH)) --requirement $<
	$(UV_INSTALL) --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/.uv
	$(UV_INSTALL) $(CPU_TORCH) --requirement $<
	$(UV_INSTALL) --editable .
	@touch $@ $(VENV)/.runtime

clean:  ## Remove the virtual environment and caches.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
