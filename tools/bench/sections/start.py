"""From the start of the process to its readiness."""

from tools.bench.contenders import PLAIN, SAME, SHIPPED, Subject
from tools.bench.plan import Session
from tools.bench.report import Table
from tools.bench.rounds import interleave
from tools.loadtools.process import Server


def measure(session: Session, subject: Subject) -> None:
    """Adds the table of one model."""

    def ready(server: Server) -> float:
        with server:
            return server.ready_seconds

    times = interleave(
        {
            SAME: lambda: ready(subject.same()),
            SHIPPED: lambda: ready(subject.as_shipped()),
            PLAIN: lambda: ready(subject.plain()),
        },
        session.plan.starts,
    )
    medians = session.record_each(f"{subject.name}/start_s", times)
    session.report.tables.append(
        Table(
            f"{subject.name}: start to ready",
            f"Seconds until `/readyz` answers 200, median of {session.plan.starts} starts. The"
            " service has verified, warmed and tested its model by then; the plain server has only"
            " loaded it.",
            ("", "s", "lowest", "highest"),
            [(name, medians[name], min(each), max(each)) for name, each in times.items()],
        )
    )
