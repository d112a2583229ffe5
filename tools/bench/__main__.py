"""`python -m tools.bench`: measures the goals on this machine; see docs/performance.md."""

import shlex
import sys

from tools.bench import goals, machine, peers, tryouts
from tools.bench.goals import MIDDLE_MODEL
from tools.bench.lineup import Lineup, alone, lineup
from tools.bench.options import Options, read
from tools.bench.plan import Session
from tools.bench.report import Report
from tools.bench.sections import (
    forms,
    http_path,
    lone,
    open_loop,
    overload,
    scaling,
    start,
    throughput,
)
from tools.bench.subject import Subject
from tools.loadtools import wrk
from tools.loadtools.command import run

_COMPARED = {"throughput": throughput, "lone": lone, "open": open_loop}


def bench(options: Options, command: str) -> Report:
    """Runs the parts that the options name.

    Raises:
        ConfigurationError: if something that it needs is missing.
        RuntimeError: if a contender does not run.
        TimeoutError: if one does not answer.
    """
    report = Report(machine.describe(), command)
    session = Session(options.plan, options.photos, options.clients, report)
    first = options.subjects[0]
    if first.mosec is not None:
        report.machine["mosec"] = peers.mosec_version(first.mosec)
    if options.given is not None:
        _compare(session, options, alone(first, options.given))
        return report
    for subject in options.subjects:
        _measure(session, options, subject)
    if "http" in options.sections:
        _tell("http")
        http_path.measure(session, first)
    if "scaling" in options.sections:
        _tell("scaling")
        scaling.measure(session, first)
    if first.provider == "cpu":
        report.tables.insert(0, goals.table(goals.goals(report.figures)))
    return report


def _measure(session: Session, options: Options, subject: Subject) -> None:
    """What is measured of each file."""
    first = options.subjects[0]
    if not {*_COMPARED, "overload", "forms", "start"} & set(options.sections):
        return
    _tell(f"{subject.name}: settings of the peers")
    chosen = tryouts.choose(session, subject)
    with_shipped = subject.precision == first.precision
    with lineup(subject, chosen, with_shipped=with_shipped) as found:
        _compare(session, options, found)
        for name, part in (("overload", overload), ("forms", forms)):
            if name in options.sections and subject is first:
                _tell(f"{subject.name}: {name}")
                part.measure(session, found)
    if "start" in options.sections and subject is first:
        _tell(f"{subject.name}: start")
        start.measure(session, subject, chosen)


def _compare(session: Session, options: Options, found: Lineup) -> None:
    """The contenders in turn. Of the models between the goals' only the throughput counts."""
    model = found.subject.model
    whole = options.given is not None or model != MIDDLE_MODEL
    for name, part in _COMPARED.items():
        if name in options.sections and (whole or name == "throughput"):
            _tell(f"{found.subject.name}: {name}")
            part.measure(session, found)


def _tell(part: str) -> None:
    print(f"measuring {part}", file=sys.stderr, flush=True)


def main() -> int:
    """Runs the command; the exit code is 1 if an answer was not a success.

    Raises:
        ConfigurationError: if something is missing or an option is wrong.
        KeyboardInterrupt: if it was interrupted.
    """
    wrk.find()
    options = read(sys.argv[1:])
    try:
        report = bench(options, shlex.join(["python", "-m", "tools.bench", *sys.argv[1:]]))
    except (RuntimeError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    report.write(options.output)
    print(report.markdown())
    print(f"written to {options.output}")
    for mistake in report.mistakes:
        print(f"error: {mistake}", file=sys.stderr)
    return 1 if report.mistakes else 0


if __name__ == "__main__":
    sys.exit(run(main))
