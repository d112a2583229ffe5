"""The generated module is that of the .proto file."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
SOURCE = Path("app/transport/grpc/protocol/open_inference.proto")


def test_the_generated_module_is_current(tmp_path: Path) -> None:
    (tmp_path / SOURCE).parent.mkdir(parents=True)
    shutil.copy(ROOT / SOURCE, tmp_path / SOURCE)
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "--proto_path=."),
            *("--python_out=.", "--pyi_out=.", str(SOURCE)),
        ],
        cwd=tmp_path,
        check=True,
    )
    for suffix in (".py", ".pyi"):
        name = SOURCE.with_name("open_inference_pb2" + suffix)
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes(), "run: make protocol"
