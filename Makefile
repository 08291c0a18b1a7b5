# Everything a fresh machine needs is done by these targets: `make demo` and `make test` set up on first use.
VENV ?= .venv
PYTHON = $(VENV)/bin/python
READY = $(VENV)/.ready
VALIDATION = .venv-validation
RUN = scripts/with-display.sh

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types contract manifest docs docs-pictures bench benchmark-models package-test validation-env validate clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(READY) ## create the environment (done by the other targets when needed)

$(READY): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh "$(VENV)"
	@touch $@

demo: $(READY) ## open napari on the sample recording and neuron (without a display: save a screenshot)
	@$(PYTHON) -m napari_celltype demo

test: $(READY) ## run the tests: those without a window in parallel, those with one in turn (windows share the keyboard)
	$(PYTHON) -m pytest -n auto tests/unit
	$(RUN) $(PYTHON) -m pytest tests/qt tests/viewer

check: lint types contract manifest docs ## everything static: style, types, imports, manifest, documentation

lint: $(READY)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: $(READY)
	$(PYTHON) -m mypy

contract: $(READY)
	$(PYTHON) -m pytest -q tests/unit/test_contract.py

manifest: $(READY)
	$(RUN) $(VENV)/bin/npe2 validate --imports src/napari_celltype/napari.yaml

docs: $(READY) ## build the documentation, warnings are errors
	$(PYTHON) -m sphinx -W --keep-going -q -b html docs docs/_build/html

docs-pictures: $(READY) ## take the documentation's screenshots anew
	$(RUN) $(PYTHON) scripts/make_pictures.py
	$(PYTHON) scripts/draw_samples.py

bench: $(READY) validation-env ## run the speed comparisons and write docs/speed.md
	$(RUN) $(PYTHON) scripts/run_benchmarks.py

benchmark-models: $(READY) ## train what is not trained yet and write docs/benchmark.md (hours; needs the labelled data)
	$(PYTHON) benchmarks/models_report.py

package-test: $(READY) ## build wheel and sdist, install the wheel in an empty environment and use it
	@scripts/check_package.sh "$(PYTHON)"

validation-env: $(VALIDATION)/.ready ## environment with the peers our values are compared with

$(VALIDATION)/.ready: $(READY) scripts/validation-requirements.txt scripts/validation-env.sh
	@scripts/validation-env.sh "$(PYTHON)" "$(VALIDATION)"
	@touch $@

clean: ## remove what the targets made, the environments included
	rm -rf $(VENV) $(VALIDATION) docs/_build build dist demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
