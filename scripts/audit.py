"""Looks for known vulnerabilities in pinned requirements, and says so if it could not look."""

import json
import subprocess
import sys
from collections.abc import Sequence

_VULNERABLE, _NOT_AUDITED = 1, 3


def main(files: Sequence[str]) -> int:
    """Audits requirements files with pip-audit.

    Returns:
        0 if every package was audited and none is known to be vulnerable, 1 if one is, 3 if some
        could not be audited, which pip-audit by itself counts as success.
    """
    code = 0
    for file in files:
        found, skipped, total = _audit(file)
        for line in found:
            print(f"{file}: {line}")
        if skipped:
            print(
                f"{file}: {skipped} of {total} packages not audited: no advisory source that knows"
                " them is reachable"
            )
        if not found and not skipped:
            print(f"{file}: {total} packages, no known vulnerability")
        code = max(code, _NOT_AUDITED if skipped else 0, _VULNERABLE if found else 0)
    return code


def _audit(file: str) -> tuple[list[str], int, int]:
    """The vulnerabilities of one file, how many packages were skipped, and how many there are."""
    command = ["pip_audit", "--disable-pip", "--require-hashes", "--format", "json", "-r", file]
    result = subprocess.run(  # noqa: S603 - a fixed command and the caller's file names
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False
    )
    if not result.stdout.strip():
        sys.exit(f"pip-audit failed on {file}: {result.stderr.strip()}")
    packages = json.loads(result.stdout)["dependencies"]
    found = [
        f"{package['name']} {package['version']}: {vulnerability['id']}"
        for package in packages
        for vulnerability in package.get("vulns", [])
    ]
    skipped = sum("skip_reason" in package for package in packages)
    return found, skipped, len(packages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
