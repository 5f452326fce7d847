# The verbs of imslab. `make` alone lists them. A machine needs python3 (3.11 or newer, with venv), make and git.
#
#   PYTHON=/path/to/python3.12   the Python to set up with (only when .venv is made)
#   ARGS="..."                   passed on: make lab ARGS="--no-browser --port 8890", make test ARGS="-k milenage"
#                                (tests run on all processors; ARGS="-n 0" runs them one after the other)
#   VENV=.venv                   where the libraries go; uv fills it where uv is there, else venv and pip

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV ?= .venv
ARGS ?=
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_ROOT_USER_ACTION = ignore
export PIP_USER = 0

.PHONY: help lab test check notebooks student-edition traces bench reader lock clean

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-24s %s\n", $$1, $$2 }'

lab: $(STAMP) ## set up, and open JupyterLab on the first notebook
	@exec $(RUN) -m imslab lab $(ARGS)

test: $(STAMP) ## set up, and run the tests
	@$(RUN) -m pytest -n auto $(ARGS)

check: $(STAMP) ## style, types, and the floors of the house
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest -q tests/test_floors.py

notebooks: $(STAMP) ## run every notebook and store its outputs (ARGS=--check stores nothing)
	@$(RUN) -m imslab.course.run $(ARGS)

student-edition: $(STAMP) ## write the notebooks without their solutions to build/student
	@$(RUN) -m imslab.course.edition $(ARGS)

traces: $(STAMP) ## make data/traces again
	@$(RUN) data/traces/make.py $(ARGS)

bench: $(STAMP) ## measure, side by side with peers
	@set -e; for file in benchmarks/[!_]*.py; do echo "== $$file"; $(RUN) "$$file" $(ARGS); done

reader: $(STAMP) ## add pyscard, for a card in a PC/SC reader
	@lock=$$(mktemp) && trap 'rm -f "$$lock"' EXIT && sed "s/ ; extra == 'reader'//" requirements.lock > "$$lock" && \
	if command -v uv > /dev/null; then uv pip install --python $(RUN) --require-hashes --no-deps -r "$$lock"; \
	else $(RUN) -m ensurepip > /dev/null && $(RUN) -m pip install --quiet --quiet --require-hashes --no-deps -r "$$lock"; fi

# One lock for all: a line that only an extra needs carries a marker that pip and uv find false, so that
# `pip install --require-hashes -r requirements.lock` leaves it out, and `make reader` takes the marker off.
lock: ## renew requirements.lock (needs uv)
	@command -v uv > /dev/null || { echo "imslab: make lock needs uv: pip install uv" >&2; exit 1; }
	@rm -f requirements.lock.new
	@uv pip compile --quiet --no-config --universal --python-version 3.11 --extra dev --extra reader \
	  --generate-hashes --no-emit-index-url --no-annotate --no-header $(ARGS) --output-file requirements.lock.new pyproject.toml
	@{ echo "# Made by 'make lock': every library of imslab with its hashes, for all platforms; pyscard only with 'make reader'."; \
	sed "s/^\(pyscard==[^ ;]*\) /\1 ; extra == 'reader' /" requirements.lock.new; } > requirements.lock
	@rm -f requirements.lock.new

clean: ## remove what these verbs made, .venv too
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A checkout that was moved is set up again: .venv names the place where it was made.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

$(STAMP): pyproject.toml requirements.lock
	@set -eu; \
	refuse() { echo "imslab: $$1" >&2; exit 1; }; \
	uv=$$(command -v uv || true); python=; bare=; old=; \
	for one in $(PYTHONS); do \
	  version=$$("$$one" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	  "$$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { old="$${old:+$$old, }$$one is $$version"; continue; }; \
	  if [ -z "$$uv" ] && ! "$$one" -c 'import venv, ensurepip' 2>/dev/null; then bare="$${bare:-$$one}"; continue; fi; \
	  python=$$one; break; \
	done; \
	if [ -z "$$python" ] && [ -n "$$bare" ]; then \
	  refuse "$$bare has no venv: install it (Debian, Ubuntu: apt install python3-venv; or uv), then try again"; fi; \
	if [ -z "$$python" ] && [ -n "$$uv" ] && [ -z "$(PYTHON)" ]; then python=3.12; fi; \
	if [ -z "$$python" ]; then \
	  refuse "Python 3.11 or newer is needed$${old:+ ($$old)}: install one, or name it: make PYTHON=/path/to/python3.12 ..."; fi; \
	echo "imslab: setting up $(VENV) with $$python$${uv:+ and uv} (once; about a minute)" >&2; \
	good() { $(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)' 2>/dev/null; }; \
	if [ -n "$$uv" ]; then \
	  if [ -n "$(PYTHON)" ] || ! good; then rm -rf $(VENV); uv venv --quiet --python "$$python" $(VENV) || \
	    refuse "uv found no Python 3.11 or newer, and could not bring one$${old:+ ($$old)}: install one"; fi; \
	  uv pip install --quiet --python $(RUN) --compile-bytecode --require-hashes --no-deps -r requirements.lock; \
	  uv pip install --quiet --python $(RUN) --no-deps --no-build-isolation --editable .; \
	else \
	  if [ -n "$(PYTHON)" ] || ! good || ! $(RUN) -m pip --version > /dev/null 2>&1; then "$$python" -m venv --clear $(VENV); fi; \
	  $(RUN) -m pip install --quiet --quiet --require-hashes --no-deps -r requirements.lock; \
	  $(RUN) -m pip install --quiet --quiet --no-deps --no-build-isolation --editable .; \
	fi; \
	$(RUN) -m compileall -q imslab; \
	printf '%s\n' "$(CURDIR)" > $(STAMP)
