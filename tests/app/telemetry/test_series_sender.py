"""The series are sent at intervals and at the end, whatever goes wrong in between."""

import logging
import threading

import pytest

from app.telemetry.series_sender import SeriesSender


def test_the_last_state_is_sent_at_the_end() -> None:
    sent: list[str] = []
    sender = SeriesSender(lambda: sent.append("now"), lambda: sent.append("closed"), 3600)
    sender.start()
    assert sent == []
    sender.stop()
    assert sent == ["now", "closed"]


def test_a_failure_is_a_line_and_the_next_time_comes(caplog: pytest.LogCaptureFixture) -> None:
    twice = threading.Event()
    calls: list[int] = []

    def send() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise ConnectionError("no collector")
        twice.set()

    sender = SeriesSender(send, lambda: None, 0.001)
    with caplog.at_level(logging.ERROR):
        sender.start()
        assert twice.wait(10)
        sender.stop()
    assert caplog.messages == ["the metrics were not sent"]
