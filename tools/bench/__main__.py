# ruff: noqa: T201 - the command tells what it does and finds
"""`python -m tools.bench`: measures the goals on this machine; see docs/performance.md."""

import shlex
import sys

from app.contract.errors import ConfigurationError
from tools.bench import goals, machine
from tools.bench.contenders import lineup
from tools.bench.goals import DEFAULT_MODEL, LARGE_MODEL
from tools.bench.options import Options, read
from tools.bench.plan import Session
from tools.bench.report import Report
from tools.bench.sections import forms, http_path, lone, open_loop, scaling, start, throughput
from tools.loadtools import wrk


def bench(options: Options, command: str) -> Report:
    """Runs the parts that the options name.

    Raises:
        ConfigurationError: if something that it needs is missing.
        RuntimeError: if a contender does not run.
    """
    report = Report(machine.describe(), command)
    session = Session(options.plan, options.photos, options.clients, report)
    wanted = set(options.sections)
    first = options.subjects[0]
    compared = [
        each for each in options.subjects
        if options.given or each.name in (DEFAULT_MODEL, LARGE_MODEL)
    ]  # fmt: skip
    for subject in compared if wanted & {"throughput", "lone", "open", "forms"} else []:
        with lineup(subject, options.given) as found:
            for name, part in (("throughput", throughput), ("lone", lone), ("open", open_loop)):
                if name in wanted:
                    _tell(f"{subject.name}: {name}")
                    part.measure(session, found)
            if "forms" in wanted and subject is first:
                _tell(f"{subject.name}: forms")
                forms.measure(session, found)
    if "start" in wanted:
        _tell("start")
        start.measure(session, first)
    if "http" in wanted:
        _tell("http")
        http_path.measure(session, first)
    if "scaling" in wanted:
        _tell("scaling")
        scaling.measure(session, options.subjects)
    if options.given is None:
        vnni = machine.has_vnni(report.machine)
        report.tables.insert(0, goals.table(goals.goals(report.figures, vnni=vnni)))
    return report


def _tell(part: str) -> None:
    print(f"measuring {part}", file=sys.stderr, flush=True)


def main() -> int:
    """Runs the command; the exit code is 1 if an answer was no success, 2 for a mistake."""
    try:
        wrk.find()
        options = read(sys.argv[1:])
        report = bench(options, shlex.join(["python", "-m", "tools.bench", *sys.argv[1:]]))
        report.write(options.output)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(report.markdown())
    print(f"written to {options.output}")
    for mistake in report.mistakes:
        print(f"error: {mistake}", file=sys.stderr)
    return 1 if report.mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
