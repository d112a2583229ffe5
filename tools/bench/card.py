"""`python -m tools.bench.card`: does this machine have what `make bench-gpu` needs?

Says so in one line. Runs before anything is installed, so it uses the standard library alone.
"""

import ctypes
import shutil
import sys

from app.contract.errors import ConfigurationError

_DRIVER = "libcuda.so.1"


def check(driver: str) -> None:
    """Looks for an NVIDIA driver and the load generator.

    Args:
        driver: the library that every NVIDIA driver brings.

    Raises:
        ConfigurationError: naming what is missing.
    """
    try:
        ctypes.CDLL(driver)
    except OSError as error:
        raise ConfigurationError(
            "make bench-gpu",
            f"this machine has no NVIDIA driver ({driver} does not load)",
            "run it on a machine with an NVIDIA card and a driver for CUDA 13, or run make bench",
        ) from error
    if shutil.which("wrk") is None:
        raise ConfigurationError(
            "wrk", "the load generator is not installed", "apt-get install wrk (Debian, Ubuntu)"
        )


def main(driver: str = _DRIVER) -> int:
    """Runs the command; the exit code is 2 if something is missing."""
    try:
        check(driver)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
