"""What the adapters are made of."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

from app.inference.service import Service
from app.transport.http.adapters.inference import Inference
from app.transport.http.arrivals import Arrivals
from app.transport.http.request_log import RequestLog
from app.transport.open_inference.repository import Repository

Identify = Callable[[Scope], str]
"""Names the caller of a request, or refuses it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the adapters are made of, whichever transport they answer on.

    Attributes:
        service: whose state and models they tell.
        repository: what is, and may be, loaded.
        arrivals: decides about requests.
        inference: classifies.
        log: notes the requests.
        callers: names who may have images classified.
        operators: names who may see what is loaded; None: everybody may.
        admins: names who may change that.
    """

    service: Service
    repository: Repository
    arrivals: Arrivals
    inference: Inference
    log: RequestLog
    callers: Identify
    operators: Identify | None
    admins: Identify
