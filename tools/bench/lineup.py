"""Who is compared: the limit, this service and its peers, each with the same file."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from app.contract.manifest import Precision
from tools.bench import peers
from tools.bench.peer import Setting
from tools.bench.subject import Subject
from tools.loadtools.operations import served_model

LIMIT_BATCHES = (1, 4, 8)
BARE_SAME_THREADS = "bare, with the service's threads"
BARE_SHIPPED_THREADS = "bare, shipped precision, with the service's threads"
SAME = "service, same file"
SHIPPED = "service, as shipped"
GIVEN = "given server"


class Endpoint(Protocol):
    """A running server: what the measurements need of it."""

    @property
    def port(self) -> int:
        """On 127.0.0.1."""
        ...

    @property
    def path(self) -> str:
        """Where it takes one image as the raw body."""
        ...

    @property
    def url(self) -> str:
        """The same, with port and host."""
        ...

    @property
    def resident_mib(self) -> float:
        """Memory that it holds now; 0 where that cannot be known."""
        ...

    @property
    def processor_seconds(self) -> float:
        """Processor time that it has used; 0 where that cannot be known."""
        ...


@dataclass(frozen=True)
class Chosen:
    """The settings of a peer that suit a file best.

    Attributes:
        many: for many clients.
        lone: for a single one.
    """

    many: Setting
    lone: Setting


@dataclass
class Lineup:
    """A subject's running servers.

    Attributes:
        subject: the model file.
        servers: by contender, set for many clients.
        lone: likewise, set for a single one.
        shipped_precision: what the service took by itself; None where it is not measured.
        threads: of one run, by contender, where the service says so.
    """

    subject: Subject
    servers: dict[str, Endpoint] = field(default_factory=dict)
    lone: dict[str, Endpoint] = field(default_factory=dict)
    shipped_precision: Precision | None = None
    threads: dict[str, int] = field(default_factory=dict)


@contextmanager
def lineup(
    subject: Subject, chosen: Mapping[str, Chosen], *, with_shipped: bool
) -> Iterator[Lineup]:
    """Starts a subject's servers for the length of a block; idle ones take no processor time.

    Args:
        subject: the model file.
        chosen: the settings of each peer.
        with_shipped: whether the service runs as shipped as well.
    """
    found = Lineup(subject)
    with ExitStack() as stack:
        same = stack.enter_context(subject.same())
        found.servers[SAME] = same
        found.threads[SAME] = asyncio.run(served_model(same.port))["threads"]
        if with_shipped:
            shipped = stack.enter_context(subject.as_shipped())
            served = asyncio.run(served_model(shipped.port))
            found.servers[SHIPPED] = shipped
            found.shipped_precision, found.threads[SHIPPED] = served["precision"], served["threads"]
        found.lone |= found.servers
        for peer, settings in chosen.items():
            server = stack.enter_context(peers.start(peer, subject, settings.many))
            found.servers[peer] = found.lone[peer] = server
            if settings.lone != settings.many:
                lone = peers.start(peer, subject, settings.lone)
                found.lone[peer] = stack.enter_context(lone)
        yield found


def alone(subject: Subject, given: Endpoint) -> Lineup:
    """A server of the user's own, which then is the only one."""
    return Lineup(subject, {GIVEN: given}, {GIVEN: given})
