"""Which settings of a peer suit a file best: each is tried, with many clients and with one."""

from tools.bench import peers
from tools.bench.lineup import Chosen
from tools.bench.peer import Setting
from tools.bench.plan import Session
from tools.bench.report import Cell, Table
from tools.bench.subject import Subject
from tools.loadtools.bodies import raw


def choose(session: Session, subject: Subject) -> dict[str, Chosen]:
    """The settings of each peer; adds the table of what was tried.

    A quick run tries nothing and takes the best guesses.
    """
    chosen: dict[str, Chosen] = {}
    rows: list[tuple[Cell, ...]] = []
    for peer, settings in peers.settings(subject).items():
        if not session.plan.tryout or len(settings) == 1:
            chosen[peer] = Chosen(settings[0], settings[-1])
            rows += [
                (peer, setting.name, None, None)
                for setting in dict.fromkeys((settings[0], settings[-1]))
            ]
            continue
        rates, latencies = {}, {}
        for setting in settings:
            rates[setting], latencies[setting] = _try(session, subject, peer, setting)
            rows.append((peer, setting.name, rates[setting], latencies[setting]))
        chosen[peer] = Chosen(
            max(settings, key=rates.__getitem__), min(settings, key=latencies.__getitem__)
        )
    session.report.tables.append(
        Table(
            f"{subject.name}: settings of the peers",
            "Each tried once; the best of a column is what is measured below. A quick run takes the"
            " best guesses untried.",
            ("peer", "settings", "images/s", "lone client, ms"),
            rows,
        )
    )
    return chosen


def _try(session: Session, subject: Subject, peer: str, setting: Setting) -> tuple[float, float]:
    bodies, plan = raw(session.photos.usual), session.plan
    with peers.start(peer, subject, setting) as server:
        session.closed(server.url, server, bodies, clients=session.clients, seconds=plan.warm)
        many = session.closed(
            server.url, server, bodies, clients=session.clients, seconds=plan.tryout
        )
        lone = session.closed(server.url, server, bodies, clients=1, seconds=plan.lone)
    return many.rate, lone.p50_ms or float("inf")
