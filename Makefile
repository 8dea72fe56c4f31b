# Everything one does with this checkout. `make` alone says what there is.
#
# Needs Python 3.11 or 3.12 with venv and pip; all else goes into .venv, from requirements.lock.
# A C compiler makes reading rows faster; without one all is Python, and answers the same.

.DEFAULT_GOAL := help
.PHONY: help install demo test faults lint format bench lock clean

BIN := .venv/bin
INSTALLED := .venv/.installed

# Bytewax has wheels for Python 3.11 and 3.12. Each candidate is run, since one that is on the path
# may still not work (version managers leave such behind).
USABLE := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
PYTHON = $(shell for p in python3.12 python3.11 python3; do \
	if "$$p" -c '$(USABLE)' >/dev/null 2>&1; then echo "$$p"; break; fi; done)

# The parts of `make test`, each with all its output, whatever the others say.
PARTS := 'ruff format --check' 'ruff check' 'mypy' 'lint-imports --no-cache' 'pytest'
LINTS := 'ruff format --check' 'ruff check' 'mypy' 'lint-imports --no-cache'

# $(call each,COMMANDS): run commands of the virtual environment, and fail at the end if any did.
define each
	@failed=; for part in $(1); do \
		printf '\n\033[1m== %s\033[0m\n' "$$part"; \
		$(BIN)/$$part || failed="$$failed, $$part"; \
	done; \
	if [ -n "$$failed" ]; then printf '\nfailed: %s\n' "$${failed#, }"; exit 1; fi; \
	printf '\nall good\n'
endef

help:
	@echo 'featurestore: windows computed as events arrive, cut when a model asks'
	@echo
	@echo '  make demo       see it work: a server, real events streaming in, the API, a console'
	@echo '                  SECONDS=30 ends it by itself'
	@echo '  make test       format, lint, types, imports and all tests; what CI runs'
	@echo '  make faults     more than a hundred kills, a soak, and fuzzing; an hour and a half'
	@echo '                  MINUTES=5 makes the soak shorter (30), FUZZ=20 the fuzzing (60 s each)'
	@echo '  make install    a virtual environment in .venv with the featurestore command'
	@echo '                  PYTHON=python3.11 chooses the interpreter (make clean first)'
	@echo '  make bench      the benchmark table'
	@echo '  make lint       everything make test checks, but the tests'
	@echo '  make format     bring the code into shape'
	@echo '  make lock       take the newest versions of all dependencies into requirements.lock'
	@echo '  make clean      remove what make and the tools left behind'
	@echo
	@echo 'Each sets up what it needs. After make install, look at your first features:'
	@echo
	@echo '  .venv/bin/featurestore check examples/flights/features.py'
	@echo '  .venv/bin/featurestore run examples/flights/features.py \'
	@echo '      --source departures=examples/flights/departures.parquet --until-end'

install: $(INSTALLED)

# The lock names every version and hash; the project itself is installed as it stands here.
$(INSTALLED): requirements.lock pyproject.toml $(wildcard featurestore/aggregation/_cutting.c)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		python='$(PYTHON)'; \
		"$${python:-none}" -c '$(USABLE)' >/dev/null 2>&1 || { \
			echo "make: no usable Python: $${python:-python3.12, python3.11 and python3 were tried}." \
				'Needed is Python 3.11 or 3.12 with venv and ensurepip' \
				'(Debian: apt install python3-venv);' \
				'name another one with make PYTHON=/path/to/python3.12' >&2; exit 1; }; \
		echo "Setting up .venv with $$("$$python" -V)"; \
		"$$python" -m venv --clear .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@touch $@

demo: install
	@$(BIN)/featurestore demo $(if $(SECONDS),--seconds $(SECONDS))

test: install
	$(call each,$(PARTS))

# Kills, cut connections and the soak print their figures. Atheris has no wheels for some machines;
# it is no part of the lock.
FUZZED := documents lines body table row packed
FAULTS := 'pytest tests/faults --long -s --soak-minutes $(or $(MINUTES),30)' \
	$(foreach t,$(FUZZED),'python -m tests.faults.fuzz $(t) $(or $(FUZZ),60)')

faults: install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	$(call each,$(FAULTS))

lint: install
	$(call each,$(LINTS))

format: install
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

bench: install
	@$(BIN)/python -m benchmarks

# One lock for every Python and platform that the project supports. It names no registry: pip is
# set up for that.
lock: install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
		--output-file requirements.lock pyproject.toml
	@$(BIN)/python -m pip uninstall --quiet --yes uv
	@$(MAKE) --no-print-directory install

clean:
	@rm -rf build *.egg-info featurestore/aggregation/*.so
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .featurestore
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
