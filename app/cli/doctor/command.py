"""Runs the checks and reports what they found."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from app.cli.doctor.finding import Finding
from app.cli.doctor.machine import cores, files, memory, paths, ports
from app.cli.doctor.software import providers, shared_objects, versions
from app.settings import Settings, load_settings

_MARKS = {"ok": "ok     ", "warning": "WARNING", "fault": "FAULT  "}


def examine(arguments: Sequence[str]) -> tuple[int, str]:
    """Runs the `doctor` command.

    Args:
        arguments: the command line after `doctor`: the service's own options, and `--json`.

    Returns:
        The exit code, 1 if there is a fault and else 0, and the report.

    Raises:
        ConfigurationError: if an option is wrong.
    """
    settings = load_settings([argument for argument in arguments if argument != "--json"])
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        versions, cores, memory, shared_objects, providers, paths, files, ports,
    )  # fmt: skip
    findings = [finding for check in checks for finding in check(settings)]
    faults = sum(finding.verdict == "fault" for finding in findings)
    if "--json" in arguments:
        report = json.dumps(
            {"healthy": not faults, "findings": [asdict(finding) for finding in findings]}, indent=1
        )
    else:
        width = max(len(finding.subject) for finding in findings)
        report = "\n".join(
            f"{_MARKS[finding.verdict]}  {finding.subject:{width}}  {finding.detail}"
            for finding in findings
        )
    return (1 if faults else 0), report
