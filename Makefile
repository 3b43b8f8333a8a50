# Needs Python 3.11 and make, nothing else. PYTHON chooses another interpreter.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
GPU_STAMP := $(VENV)/.installed-gpu
CACHE := $${COPILOT_CACHE:-$$HOME/.cache/merchant-copilot}
# GPU=0 leaves torch and diffusers (1.4 GB) out of the tests, which then skip what needs them and say so.
GPU ?= 1
# Test files at a time. Two cores: more than a third of the time of a file is waiting for processes and browsers.
WORKERS ?= 4
export UV_PYTHON_DOWNLOADS := never

# Without the packages of CUDA, which come with torch where there is one.
NO_CUDA := $(foreach name,torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti \
	nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver \
	nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx,\
	--no-emit-package $(name))

.PHONY: install gpu up test test-postgres check demo lock samples browser postgres clean

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Python 3.11 is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	$(BIN)/python -m knowledge.embeddings.bundled "$(CACHE)"
	$(BIN)/python -m app.imaging.weights "$(CACHE)"
	$(BIN)/python -m app.llm.token_files "$(CACHE)/tokenizers"
	@touch $@

# torch by pip: it knows which build fits this machine. The lock has everything else; uv compiles all of it at once.
gpu: $(GPU_STAMP)

$(GPU_STAMP): $(STAMP) requirements-gpu.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile torch==2.13.0
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --require-hashes \
		-r requirements-gpu.lock
	@touch $@

up: install
	$(BIN)/copilot up

demo: install
	$(BIN)/copilot demo

test: install browser postgres $(if $(filter 0,$(GPU)),,gpu)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# The tests of the service and of the ports, with their databases in PostgreSQL.
test-postgres: install postgres
	$(BIN)/python -m pytest --postgres -n $(WORKERS) --dist loadfile -m "not browser" \
		tests/app tests/contracts tests/knowledge tests/e2e/test_servers.py

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# Chromium for the page tests: installed where we may, else those tests say how to get it.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null; } \
		|| echo "No Chromium: page tests will be skipped. On Debian: apt-get install chromium fonts-noto-cjk"

# PostgreSQL for the tests of it: installed where we may, else those tests say how to get it. They start their own.
postgres:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; } \
		|| echo "No PostgreSQL: its tests will be skipped. On Debian: apt-get install postgresql"

# The lock names versions and hashes and no index.
lock: install
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra ocr --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra gpu --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --constraint requirements.lock $(NO_CUDA) -o requirements-gpu.lock

# After a change of the samples, of a loader or of chunking: their vectors, which come along (a test says when).
samples: install
	$(BIN)/python -m app.samples

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
