"""The wheel, and an environment that holds nothing but it and what it asks for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="package")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service's wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="package")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel and its extra `cpu`, in the versions that are pinned."""
    folder = tmp_path_factory.mktemp("fresh") / "environment"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    install = [*uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
    constraints = ["--constraints", str(ROOT / "requirements" / "cpu.txt")]
    subprocess.run([*install, *constraints, f"{wheel}[cpu]"], check=True)
    return folder


@pytest.fixture(scope="package")
def torch_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel beside the packages of this environment, PyTorch among them."""
    folder = tmp_path_factory.mktemp("torch") / "environment"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    install = [*uv, "pip", "install", "--quiet", "--no-deps", "--python"]
    subprocess.run([*install, str(folder / "bin" / "python"), str(wheel)], check=True)
    [own] = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "packages-of-the-tests.pth").write_text(f"{own}\n")
    return folder
