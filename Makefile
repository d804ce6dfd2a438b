# The only commands anyone needs: make demo, make test, make check, make bench.
# Each does its own set-up in .venv; models and state go to .nightschool (NIGHTSCHOOL_HOME overrides it).

SHELL := bash
BIN := .venv/bin
INSTALLED := .venv/.installed
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

export NIGHTSCHOOL_HOME ?= $(CURDIR)/.nightschool

.PHONY: demo test check bench models nvim lua editors pictures vscode vsix scheduler
.DEFAULT_GOAL := test

demo: $(INSTALLED)
	$(BIN)/nightschool model get qwen2.5-coder-1.5b || [ $$? -eq 3 ]  # 3: already here
	$(BIN)/nightschool model get smollm2-135m || [ $$? -eq 3 ]
	$(BIN)/nightschool demo
	$(BIN)/nightschool demo --night --model smollm2-135m  # the small model's night takes a minute or two

test: models check nvim lua editors vscode vsix scheduler
	NIGHTSCHOOL_TEST_HOME="$$NIGHTSCHOOL_HOME" $(BIN)/pytest

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/cog --check docs/commands.md docs/ledger.md docs/protocol.md

bench: models
	benchmarks/run.sh

models: $(INSTALLED)
	for model in qwen2.5-coder-1.5b smollm2-135m; do \
		$(BIN)/nightschool model get $$model || [ $$? -eq 3 ] || exit 1; \
	done

# The tests' editor; NVIM_PROGRAM names another one.
nvim: .bench/nvim/bin/nvim .bench/nvim-0.11/bin/nvim

.bench/nvim/bin/nvim:
	editor-clients/install-nvim.sh .bench/nvim

.bench/nvim-0.11/bin/nvim:
	editor-clients/install-nvim-0.11.sh .bench/nvim-0.11

# The tests' schedulers: systemd's own checks, and cron.
scheduler:
	command -v systemd-analyze >/dev/null && command -v crontab >/dev/null || \
		{ $(AS_ROOT) apt-get update --quiet && $(AS_ROOT) apt-get install --yes systemd cron; }

# Helix and Emacs, which need no client of ours.
editors: .bench/editors/bin/emacs

.bench/editors/bin/emacs:
	editor-clients/install-others.sh .bench/editors

# Screenshots for the README, made by the tests.
pictures: models nvim vscode vsix
	NIGHTSCHOOL_TEST_HOME="$$NIGHTSCHOOL_HOME" NIGHTSCHOOL_PICTURES=docs/images $(BIN)/pytest tests/editors tests/learner/report \
		-k "default_model or takes_all or page_fits"

# A real VS Code workbench in a headless browser, and the extension as it is installed there.
CODE := .bench/code-server
CLIENT := editor-clients/vscode

# The plugin's own checks: luacheck from Debian, StyLua from npm.
lua: .bench/lua/node_modules $(CODE)/bin/code-server
	command -v luacheck >/dev/null || { $(AS_ROOT) apt-get update --quiet && $(AS_ROOT) apt-get install --yes lua-check; }
	luacheck --quiet --config editor-clients/neovim/.luacheckrc editor-clients/neovim
	$(CODE)/node/bin/node editor-clients/neovim/format.mjs --check .bench/lua

.bench/lua/node_modules: $(CODE)/bin/code-server
	mkdir -p .bench/lua
	cd .bench/lua && npm install --no-audit --no-fund --loglevel=error @johnnymorganz/stylua@2.5.2

vscode: $(CODE)/bin/code-server

$(CODE)/bin/code-server: | $(INSTALLED)
	{ test -x /usr/bin/chromium && dpkg -s libkrb5-dev >/dev/null 2>&1; } || \
		{ $(AS_ROOT) apt-get update --quiet && $(AS_ROOT) apt-get install --yes chromium libkrb5-dev; }
	editor-clients/install-code-server.sh $(CODE)

vsix: $(CLIENT)/nightschool.vsix

# The packager needs a newer node than many machines have: the workbench brings one.
$(CLIENT)/nightschool.vsix: $(CODE)/bin/code-server $(CLIENT)/package.json $(wildcard $(CLIENT)/src/* $(CLIENT)/media/*)
	cd $(CLIENT) && PATH="$(CURDIR)/$(CODE)/node/bin:$$PATH" npm install --no-save --no-audit --no-fund --loglevel=error && \
		PATH="$(CURDIR)/$(CODE)/node/bin:$$PATH" npm run --silent check && \
		PATH="$(CURDIR)/$(CODE)/node/bin:$$PATH" npm run --silent package

# llama-cpp-python is compiled on the first installation, some minutes; pip keeps the result.
$(INSTALLED): pyproject.toml constraints.txt
	command -v c++ >/dev/null && python3 -c 'import ensurepip' || \
		{ $(AS_ROOT) apt-get update --quiet && $(AS_ROOT) apt-get install --yes g++ python3-venv; }
	python3 -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'  # the first that knows --group
	$(BIN)/python -m pip install --constraint constraints.txt --editable . --group dev
	touch $@
