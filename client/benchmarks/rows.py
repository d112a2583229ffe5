"""Checks an output against what direct evaluation says."""

import json
import subprocess
from pathlib import Path
from typing import Any

from pyarrow import parquet

from benchmarks.processes import ROOT, SERVICE_PYTHON

# Runs in the service's environment: its preprocessing and engine, no HTTP and no batching.
_DIRECT = """
import json, sys
from pathlib import Path
from app.engines.onnx_engine import OnnxEngines
from app.contract.repository import ModelRepository
from app.selection.loading import load_model
from app.contract.preprocess import preprocess
loaded = load_model(
    ModelRepository(Path(sys.argv[1])), OnnxEngines("cpu"),
    model="imagenette", precision="int8", max_batch_size=1, cores=2, inference_threads=2,
)
logits = loaded.model.signature.logits.name
slot = loaded.engine.open_slots()[0]
contract = loaded.model.manifest.preprocessing
for path in sorted(Path(sys.argv[2]).iterdir()):
    image = preprocess(path.read_bytes(), contract, max_pixels=40_000_000)
    print(json.dumps([str(path), int(slot.run([image], [logits])[logits][0].argmax())]))
"""


def direct_classes(models: Path, photos: Path) -> dict[str, int]:
    """The class that preprocessing and engine alone give each photo."""
    words = [str(SERVICE_PYTHON), "-c", _DIRECT, str(models.resolve()), str(photos)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - fixed words
    return dict(json.loads(line) for line in done.stdout.splitlines())


def verdict(output: Path, expected: dict[str, int]) -> dict[str, Any]:
    """How the rows of an output compare with the classes expected."""
    rows = parquet.ParquetFile(output).read(["path", "error_code", "class_index_1"]).to_pylist()
    paths = [row["path"] for row in rows]
    return {
        "inputs": len(expected),
        "rows": len(rows),
        "doubled": len(paths) - len(set(paths)),
        "missing": len(expected.keys() - set(paths)),
        "errors": sum(row["error_code"] is not None for row in rows),
        "other_class": sum(
            row["class_index_1"] != expected.get(row["path"])
            for row in rows
            if row["error_code"] is None
        ),
    }
