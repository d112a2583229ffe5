"""`python -m app tensorrt`, on a machine that has no TensorRT."""

import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from tests.support.process import ROOT


@pytest.mark.skipif(
    "TensorrtExecutionProvider" in onnxruntime.get_available_providers(),
    reason="this build of ONNX Runtime has TensorRT",
)
@pytest.mark.parametrize("module", ["app", "scripts.build_tensorrt"])
def test_what_is_missing_is_said_in_one_line(module: str, tmp_path: Path) -> None:
    words = ["tensorrt"] if module == "app" else []
    ended = subprocess.run(
        [sys.executable, "-m", module, *words, "--name", "colours", "--photos", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith("error: provider: this build of ONNX Runtime has no Tensorrt")
    assert ended.stdout == ""


@pytest.mark.parametrize("module", ["app.cli.tensorrt", "scripts.build_tensorrt"])
def test_building_engines_needs_neither_torch_nor_what_exports(module: str) -> None:
    program = (
        f"import sys, {module};"
        "loaded = {name.split('.')[0] for name in sys.modules};"
        "sys.exit(bool({'torch', 'tqdm', 'onnx', 'senet'} & loaded))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
