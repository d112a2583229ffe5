"""A fixture, for conftests to import: programs that are not Python packages."""

import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Finds a program that is not a Python package; see deploy/install_test_tools.sh.

    A developer may do without. `--fail-on-skip` makes its absence a failure.
    """

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed; see deploy/install_test_tools.sh")
        return path

    return find
