#!/usr/bin/env bash
# Proves on drawn weights that our networks compute what timm's do, and tests the timm source.
# Has an environment of its own; fails if it cannot be installed or if no test runs in it.
# Further arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=.venv-timm
[ -x "$environment/bin/python" ] || "${PYTHON:-python3}" -m venv "$environment"
pip() { "$environment/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; }
pip --require-hashes -r requirements/uv.txt
"$environment/bin/uv" pip install --quiet --python "$environment/bin/python" --require-hashes \
    -r requirements/dev.txt
pip -r requirements/timm.txt
"$environment/bin/python" -m pytest tests/timm "$@"
