"""Nothing leaves the machine, and nothing is left on it, that nobody asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process import ROOT

RUN = """
import sys
from pathlib import Path
from app.contract.signature import of_schema_1
from app.engines.engine import Layout
from app.engines.onnx_engine import OnnxEngines
OnnxEngines("cpu").load(Path(sys.argv[1]), "cpu", Layout(1, 1), of_schema_1(8, 8, 64))
"""


@pytest.mark.parametrize(
    "first", ["app.engines.onnx_engine", "app.cli.doctor.command", "senet.export.runtime"]
)
def test_onnx_runtime_does_not_report_to_its_maker(
    first: str, repository: Path, tmp_path: Path
) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    model = repository / "colours" / "1" / "model.fp32.onnx"
    subprocess.run(
        [sys.executable, "-c", f"import {first}\n{RUN}", str(model)],
        cwd=ROOT,
        env=environment | {"HOME": str(tmp_path)},
        check=True,
    )
    # Where it reports, it keeps a device's id and a queue of events below the home folder.
    assert list(tmp_path.iterdir()) == []
