import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from senet_client import Client, Retries, Retry, Timeouts, errors
from senet_client.answers import parse_error
from tests.conftest import Clock, Surface
from tests.fake_service import FakeService, Reply, best_class, listening, problem, url_of

BROKEN = Reply(0)


@pytest.mark.parametrize(
    "reply",
    [
        problem(429, "overloaded"),
        problem(503, "not_ready"),
        problem(503, "draining"),
        problem(503, "too_many_connections"),
        Reply(503, "a proxy's page"),
        Reply(502, "a proxy's page"),
        BROKEN,
    ],
)
def test_what_passes_is_tried_again(
    client: Surface, service: FakeService, clock: Clock, reply: Reply
) -> None:
    service.script.extend([reply, reply])

    batch = client.classify_batch([b"x"])

    assert batch.attempts == 3
    assert clock.pauses == [0.2, 0.4]


@pytest.mark.parametrize(
    "reply",
    [
        problem(400, "malformed_request"),
        problem(401, "unauthenticated"),
        problem(403, "forbidden"),
        problem(404, "model_not_found"),
        problem(413, "body_too_large"),
        problem(422, "invalid_image"),
        problem(500, "inference_failed"),
        problem(500, "internal_error"),
        problem(504, "deadline_exceeded"),
        Reply(504, "a proxy's page"),
    ],
)
def test_what_does_not_pass_is_not(client: Surface, service: FakeService, reply: Reply) -> None:
    service.script.append(reply)

    with pytest.raises(errors.SenetClientError) as raised:
        client.classify(b"x")

    assert raised.value.attempts == len(service.requests) == 1


def test_retry_after_is_obeyed_with_jitter_on_top(
    client: Surface, service: FakeService, clock: Clock, retried: list[Retry]
) -> None:
    service.script.extend([problem(429, "overloaded", retry_after="7")] * 2)

    client.classify(b"x")

    assert clock.pauses == [7.2, 7.4]
    assert [(retry.error.code, retry.attempt) for retry in retried] == [
        ("overloaded", 1),
        ("overloaded", 2),
    ]


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    date = format_datetime(now + timedelta(seconds=90), usegmt=True)
    request = httpx.Request("POST", "http://fake/classify")

    def seconds(header: str) -> Any:
        response = httpx.Response(
            503, json={"code": "draining"}, headers={"retry-after": header}, request=request
        )
        error = parse_error(response, now)
        assert isinstance(error, errors.Draining)
        return error.retry_after_seconds

    assert [seconds(text) for text in (date, "5", "soon", "")] == [90.0, 5.0, None, None]


def test_pauses_grow_to_their_bound(
    make: Callable[..., Surface], service: FakeService, clock: Clock
) -> None:
    service.script.extend([BROKEN] * 5)

    make(retries=Retries(first_pause=1, longest_pause=5)).classify(b"x")

    assert clock.pauses == [1, 2, 4, 5, 5]


REFUSED = Reply(-1)


def test_a_service_that_was_never_reached_is_told_at_once(
    client: Surface, service: FakeService, clock: Clock
) -> None:
    service.script.extend([REFUSED] * 2)

    with pytest.raises(errors.ConnectionFailed, match=r"connection refused.*http://fake/classify"):
        client.classify(b"x")
    assert clock.pauses == []


def test_a_service_that_was_reached_is_waited_for(
    client: Surface, service: FakeService, clock: Clock
) -> None:
    client.classify(b"x")
    service.script.extend([REFUSED] * 2)

    client.classify(b"x")

    assert len(clock.pauses) == 2


def test_a_service_that_was_never_reached_is_waited_for_if_told_so(
    make: Callable[..., Surface], service: FakeService, clock: Clock
) -> None:
    service.script.extend([REFUSED] * 2)

    make(retries=Retries(unreachable=True)).classify(b"x")

    assert len(clock.pauses) == 2


def test_attempts_are_bounded(
    make: Callable[..., Surface], service: FakeService, clock: Clock
) -> None:
    service.script.extend([BROKEN] * 9)

    with pytest.raises(errors.ConnectionFailed, match="connection reset") as raised:
        make(retries=Retries(attempts=3)).classify(b"x")

    assert raised.value.attempts == len(service.requests) == 3


def test_a_pause_beyond_the_deadline_is_not_begun(
    client: Surface, service: FakeService, clock: Clock
) -> None:
    service.script.extend([problem(429, "overloaded", retry_after="4")] * 9)

    with pytest.raises(errors.Overloaded):
        client.classify(b"x", timeout=10)

    assert clock.pauses == [4.2, 4.4]


def test_what_is_left_of_the_deadline_travels(client: Surface, service: FakeService) -> None:
    service.script.append(problem(503, "not_ready", retry_after="3"))

    client.classify(b"x", timeout=10)

    sent = [headers["x-request-timeout-ms"] for _, _, headers in service.requests]
    assert sent == ["10000", "6800"]
    assert len({headers["x-request-id"] for _, _, headers in service.requests}) == 1


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_timeouts_are_checked(seconds: float) -> None:
    with pytest.raises(errors.InvalidArgument, match="total"):
        Timeouts(total=seconds)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_a_calls_own_timeout_is_checked(
    client: Surface, service: FakeService, seconds: float
) -> None:
    with pytest.raises(errors.InvalidArgument, match="finite number of seconds"):
        client.classify(b"x", timeout=seconds)

    assert not service.requests


def test_retries_are_checked() -> None:
    with pytest.raises(errors.InvalidArgument):
        Retries(attempts=0)
    with pytest.raises(errors.InvalidArgument):
        Retries(first_pause=2, longest_pause=1)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [(None, True), (problem(503, "not_ready"), False), (BROKEN, False)],
)
def test_ready_asks_once(
    make: Callable[..., Surface], service: FakeService, reply: Reply | None, expected: bool
) -> None:
    answer = service.answer
    if reply is not None:
        service.answer = lambda *_: reply  # type: ignore[method-assign]  # a service that is down

    assert make().ready() is expected

    service.answer = answer  # type: ignore[method-assign]  # and back again


def test_a_service_that_hangs_is_not_ready() -> None:
    asked, released = threading.Event(), threading.Event()
    service = FakeService()

    def hang(target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        del target, headers, body
        asked.set()
        released.wait(30)
        return Reply(200, {"status": "ready"})

    service.answer = hang  # type: ignore[method-assign]  # a service that hangs
    with (
        listening(service) as server,
        Client(url_of(server), timeouts=Timeouts(read=0.05)) as client,
    ):
        assert client.ready() is False
        released.set()
    assert asked.is_set()


def test_a_hanging_service_times_out_and_only_then_is_asked_again_if_told_so() -> None:
    released = threading.Event()
    service = FakeService(on_classify=lambda _: void(released.wait(30)))
    with listening(service) as server:
        timeouts = Timeouts(total=20, read=0.05)
        with Client(url_of(server), timeouts=timeouts) as client:
            with pytest.raises(errors.TimedOut) as raised:
                client.classify(b"x")
            assert raised.value.attempts == 1
        retries = Retries(timeouts=True)
        with Client(
            url_of(server),
            timeouts=timeouts,
            retries=retries,
            on_retry=lambda _: released.set(),
        ) as client:
            assert client.classify_batch([b"x"]).attempts > 1


def void(_: object) -> None:
    """Drops a value."""


def test_a_connection_that_breaks_midway_is_tried_again() -> None:
    service = FakeService()
    service.script.append(BROKEN)
    with listening(service) as server, Client(url_of(server)) as client:
        answer = client.classify(b"x")

    assert answer.predictions[0].class_index == best_class(b"x")
