# Two commands do everything on a fresh machine with Python, make and a package index: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

READY := $(VENV)/ready

.PHONY: demo test lint bench lock clean

demo: $(READY)
	$(BIN)/segue demo

test: lint
	$(BIN)/python -m pytest -n auto

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m benchmarks

# Everything that is installed is pinned by hash in requirements.lock, but torch: each platform has builds of its own. Here the
# index's default is taken; TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu" takes the smaller one.
TORCH ?= torch==2.13.0

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Segue needs Python 3.11 or newer: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "open('$(READY)', 'w').close()"

# After a change of the dependencies; `pip install uv` first.
OWN_BUILDS := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
	nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx

lock:
	echo $(TORCH) | uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --quiet \
		--extra dev --extra train --extra volumes --extra dicom --extra studies --extra cluster --extra track --constraints - $(foreach name,$(OWN_BUILDS),--no-emit-package $(name)) \
		pyproject.toml --output-file requirements.lock

clean:
	$(PYTHON) -c "import shutil; [shutil.rmtree(d, ignore_errors=True) for d in ('$(VENV)', 'demo', 'dist')]"
