# Each target sets up what it needs from nothing, in .venv.
PYTHON ?= python3
# Tests wait for processes much of their time: two workers more than cores keep the cores busy.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 2)))
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo browser pictures compiled test corpus cpython libraries daft airflow dask dask-smoke dora dora-smoke ray ray-smoke slurm slurm-smoke trackers vscode exhaustive oldest coverage benchmark lint docs release-check clean

demo: $(VENV)/installed
	$(BIN)/kogine run --inspect fixtures/scripts/main_defaults.py
	$(BIN)/kogine run fixtures/scripts/main_defaults.py lr=0.2 'main(epochs)=5'

# Of a table of ten cases or more a twentieth is run, the same one each time; a release runs TABLES=1.
TABLES ?= 20
test: compiled
	TABLES_EVERY=$(TABLES) $(BIN)/python -m pytest -q -n $(WORKERS)

# The files with tests of one mark: pytest would read all 20,000 tests, in each worker.
marked = -m $(1) $$(grep -rlE --include='test_*.py' 'mark\.$(1)\b$(2)' tests)

EVERY ?= 1
corpus: compiled
	CORPUS_EVERY=$(EVERY) $(BIN)/python -m pytest -q -n $(WORKERS) $(call marked,corpus)

cpython: compiled
	$(BIN)/python -m pytest -q -n $(WORKERS) $(call marked,cpython)

libraries: compiled
	$(BIN)/python -m pip install -q torch==2.13.0 jax pandas matplotlib scikit-learn numba
	$(BIN)/python -m pytest -q -n $(WORKERS) $(call marked,libraries,|with_libraries)

exhaustive: compiled
	TABLES_EVERY=$(EVERY) $(BIN)/python -m pytest -q -n $(WORKERS) $(call marked,exhaustive,|import sampled)

daft: compiled
	$(BIN)/python -m pip install -q 'daft>=0.7'
	$(BIN)/python -m pytest -q $(call marked,daft)

# Of its own: it pins the versions of a hundred packages.
airflow: compiled
	$(PYTHON) -m venv $(VENV)-airflow
	$(VENV)-airflow/bin/python -m pip install -q 'apache-airflow==2.10.5' apache-airflow-providers-cncf-kubernetes
	AIRFLOW_PYTHON=$(VENV)-airflow/bin/python $(BIN)/python -m pytest -q $(call marked,airflow)

dask: compiled
	$(BIN)/python -m pip install -q 'distributed>=2024.1'
	$(BIN)/python -m pytest -q $(call marked,dask)

dask-smoke: compiled
	$(BIN)/python -m pip install -q 'distributed>=2024.1'
	$(BIN)/python -m pytest -q -m dask -k smoke tests/executors/test_dask.py

# The packages are made for Python 3.11 and later.
DORA := dora-rs==1.1.0 dora-rs-cli==1.1.0 'pyarrow>=14'
dora: compiled
	$(BIN)/python -m pip install -q $(DORA)
	$(BIN)/python -m pytest -q -n 2 $(call marked,dora)

dora-smoke: compiled
	$(BIN)/python -m pip install -q $(DORA)
	$(BIN)/python -m pytest -q -m dora -k smoke tests/systems/test_dora.py

ray: compiled
	$(BIN)/python -m pip install -q 'ray[client]>=2.9'
	$(BIN)/python -m pytest -q $(call marked,ray)

ray-smoke: compiled
	$(BIN)/python -m pip install -q 'ray[client]>=2.9'
	$(BIN)/python -m pytest -q -m ray -k smoke tests/executors/test_ray.py

slurm: compiled
	$(BIN)/python -m pip install -q 'submitit>=1.5' 'dask-jobqueue>=0.9'
	$(BIN)/python -m pytest -q -n 2 --dist loadfile $(call marked,slurm)

# On this machine; FILE=tests/executors/test_slurm_cluster.py for the SLURM of two nodes.
slurm-smoke: FILE = tests/executors/test_slurm.py
slurm-smoke: compiled
	$(BIN)/python -m pip install -q 'submitit>=1.5'
	$(BIN)/python -m pytest -q -m slurm -k smoke $(FILE)

# One Chromium and one server for all of it; the pictures go to .ci-artifacts/browser.
WEB := 'starlette>=0.40' 'uvicorn>=0.30' 'plotly>=6' 'selenium>=4.20'
browser: compiled
	$(BIN)/python -m pip install -q $(WEB)
	$(BIN)/python -m pip install -q --no-deps axe-playwright-python==0.1.8  # for axe-core's script
	TABLES_EVERY=$(EVERY) $(BIN)/python -m pytest -q $(MORE) $(call marked,browser)

# The pictures of the docs, taken by these tests; look at the difference before you commit it.
pictures:
	KOGINE_ACCEPT=1 $(MAKE) --no-print-directory browser

# VS Code as a server, built from npm's registry into .code-server: minutes, the first time.
vscode: compiled
	$(BIN)/python -m pip install -q 'selenium>=4.20' 'pygls>=2'
	.ci/install-vscode .code-server
	$(BIN)/python -m pytest -q $(call marked,vscode)

trackers: compiled
	$(BIN)/python -m pip install -q 'mlflow-skinny>=2.15' 'sqlalchemy>=2' 'alembic>=1.10' 'tensorboard>=2.15' 'pyarrow>=14' $(MORE)
	$(BIN)/python -m pytest -q $(call marked,trackers)

# What our dependencies do for us, with the lowest versions that pyproject.toml allows.
oldest:
	rm -rf $(VENV)-oldest
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install -q -e '.[test]' -c .ci/oldest.txt
	$(VENV)-oldest/bin/python -m compileall -q kohaku_ast cli/kogine
	TABLES_EVERY=$(TABLES) $(VENV)-oldest/bin/python -m pytest -q -n $(WORKERS) tests/transform tests/cli/test_commands.py tests/cli/test_completion.py tests/cli/test_run_options.py tests/display tests/runner/test_transport.py tests/config/test_data_file.py tests/config/test_hydra_config.py tests/migrate/test_hydra.py tests/flow/test_search.py

# Tests that compare what a process loads, or how it was started, fail under coverage: its share is
# the gate here, and `make test` that of the tests.
coverage: $(VENV)/tests-installed
	$(BIN)/coverage erase
	-TABLES_EVERY=$(TABLES) $(BIN)/coverage run -m pytest -q -n $(WORKERS)
	-$(BIN)/coverage combine -q
	$(BIN)/coverage report

benchmark: compiled
	$(BIN)/python -m pytest -q -s -m benchmark tests/benchmarks

lint: $(VENV)/lint-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: export NO_MKDOCS_2_WARNING = 1  # about its own future, not about these pages
docs: $(VENV)/docs-installed
	$(BIN)/mkdocs build

release-check: $(VENV)/lint-installed
	.ci/release-check $(BIN)/python

clean:
	rm -rf $(VENV) $(VENV)-airflow .code-server site

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no venv module: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e .
	touch $@

$(VENV)/tests-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[test]'
	touch $@

# Thousands of tests start Python: where it may not write bytecode, each would compile all of ours.
compiled: $(VENV)/tests-installed
	$(BIN)/python -m compileall -q kohaku_ast cli/kogine

$(VENV)/lint-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch $@

$(VENV)/docs-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[docs]' || { echo "make docs needs mkdocs-material, mkdocstrings and mike: pip install 'kohaku-ast[docs]'" >&2; exit 1; }
	touch $@
