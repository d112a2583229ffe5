"""All refusals are counted; how many are logged is bounded, and how many are not is said."""

import logging
from collections.abc import Callable

import pytest

from app.telemetry.metrics import Metrics
from app.transport.http.refusal_log import RefusalLog
from app.transport.http.request_log import RequestLog

NAME = "app.transport.http.refusal_log"


class Refusals:
    """A log whose seconds end when the test says."""

    def __init__(self, *, addresses: bool = True) -> None:
        self.metrics = Metrics()
        self._due: list[Callable[[], None]] = []
        requests = RequestLog(self.metrics, share=1, addresses=addresses)
        self.log = RefusalLog(self.metrics, requests, addresses=addresses, later=self._later)

    def refuse(self, times: int) -> None:
        for _ in range(times):
            self.log.note(400, "malformed_request", "this is not an HTTP request", "192.0.2.1")

    def end_second(self) -> None:
        due, self._due = self._due, []
        for act in due:
            act()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        assert seconds == 1
        self._due.append(act)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_flood_leaves_few_lines_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    with caplog.at_level(logging.INFO, NAME):
        refusals.refuse(5000)
        assert len(caplog.records) == 10
        refusals.end_second()
        [line] = caplog.messages[10:]
        assert line.startswith("4990 more connections refused")
        refusals.refuse(3)
        refusals.end_second()
        refusals.end_second()
        assert len(caplog.records) == 14
    labels = {"reason": "malformed_request"}
    assert value(refusals.metrics, "senet_refused_connections_total", **labels) == 5003
    labels = {"route": "unmatched", "status": "400"}
    labels |= {"model": "", "version": "", "priority": ""}
    assert value(refusals.metrics, "senet_requests_total", **labels) == 5003


@pytest.mark.parametrize(("addresses", "caller"), [(True, "192.0.2.1"), (False, None)])
def test_a_line_says_who_and_why(
    caplog: pytest.LogCaptureFixture, addresses: bool, caller: str | None
) -> None:
    refusals = Refusals(addresses=addresses)
    with caplog.at_level(logging.INFO, NAME):
        refusals.refuse(1)
    [line] = [vars(record) for record in caplog.records]
    assert (line["outcome"], line["status"]) == ("malformed_request", 400)
    assert line["detail"] == "this is not an HTTP request"
    assert line.get("caller") == caller


def test_what_got_no_answer_is_no_request(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    refusals.log.note(None, "tls_handshake", "it failed", "192.0.2.1")
    labels = {"reason": "tls_handshake"}
    assert value(refusals.metrics, "senet_refused_connections_total", **labels) == 1
    assert value(refusals.metrics, "senet_requests_total", route="unmatched", status="499") is None
