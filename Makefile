# Each target does all of its own set-up. What must be there: Python 3.11 or newer, and make.
PYTHON ?= python3
WORKERS ?= 2
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/installed

# In CI a database that cannot run is a failure; at home its tests are skipped, with the reason.
ifeq ($(CI),true)
export SQLSCORE_REQUIRE ?= postgres,mariadb,mssql
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-mssql test-oldest test-docker check bench bench-pushdown bench-gpu soak servers openvino dialects orbital clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## the whole story on an embedded database, in under a minute
	$(BIN)/sqlscore demo $(ARGS)

test: $(INSTALLED) servers openvino dialects check ## check, then all tests; ARGS="--database sqlite -k upsert" chooses
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-mssql: $(INSTALLED) ## the tests on a real SQL Server: SQLSCORE_MSSQL_URL, else one in Docker
	@tests/mssql.sh $(ARGS)

test-docker: $(INSTALLED) ## build the images of docker/, run them, kill them
	@tests/setup_docker.sh
	$(BIN)/python -m pytest -m docker tests/acceptance/test_docker.py $(ARGS)

check: $(INSTALLED) ## ruff, mypy, the layers of imports, Dockerfiles and compose files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec examples/container/compose.yml docker/*.yml
	$(BIN)/hadolint docker/Dockerfile docker/*.Dockerfile examples/container/Dockerfile tests/docker/*.Dockerfile

bench: $(INSTALLED) servers ## rows a second and memory, beside what people write today
	$(BIN)/python -m benchmarks $(ARGS)

bench-pushdown: $(INSTALLED) servers orbital ## models as SQL, beside the bridge, today's way and orbital
	$(BIN)/python -m benchmarks --only pushdown --database postgres --database duckdb $(ARGS)

bench-gpu: $(INSTALLED) ## the same on a GPU, beside the processor; where there is none it says so
	$(BIN)/python -m benchmarks.gpu $(ARGS)

soak: $(INSTALLED) servers ## the long runs: every database, killed again and again
	$(BIN)/python -m pytest -m soak $(ARGS)

servers: # PostgreSQL and MariaDB from Debian's packages, where they are missing and may be installed
	@tests/setup_servers.sh

test-oldest: $(INSTALLED) ## unit tests with the oldest versions of all dependencies; downloads them
	@tests/setup_oldest.sh
	.venv-oldest/bin/python -m pytest -n $(WORKERS) tests/unit -W "ignore:'click:DeprecationWarning" $(ARGS)

openvino: $(INSTALLED) # another build of ONNX Runtime, in an environment of its own
	@tests/setup_openvino.sh

dialects: $(INSTALLED) # ClickHouse and Spark, in an environment of their own
	@tests/setup_dialects.sh

orbital: $(INSTALLED) # another compiler of models to SQL, in an environment of its own
	@benchmarks/setup_orbital.sh

clean: ## delete all that these targets made here
	rm -rf .venv .venv-openvino .venv-dialects .venv-oldest .venv-orbital .servers dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml tests/setup_venv.sh
	tests/setup_venv.sh $(PYTHON)
	touch $@
