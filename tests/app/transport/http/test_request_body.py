"""Bodies that are too large or too slow are refused, and never read to their end."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from app.settings import Settings
from tests.support.engines import FakeEngines
from tests.support.http import RawConnection, assert_problem, assert_raw_problem, post_image
from tests.support.images import encode, photo
from tests.support.server import LiveServer, running
from tests.support.waiting import BOUND_SECONDS, eventually

MAX_BODY_BYTES = 100_000
GOOD = encode(photo((96, 96, 96)))
OCTETS = "content-type: application/octet-stream"


@pytest.fixture(scope="module")
def server(make_settings: Callable[..., Settings]) -> Iterator[LiveServer]:
    with running(make_settings(max_body_bytes=MAX_BODY_BYTES), FakeEngines()) as live:
        yield live


def test_a_declared_length_over_the_limit_is_refused_before_any_of_it_is_sent(
    server: LiveServer,
) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, f"content-length: {MAX_BODY_BYTES + 1}")
        problem = assert_raw_problem(connection.read_answer(), 413, "body_too_large")
    assert str(MAX_BODY_BYTES) in problem["detail"]


@pytest.mark.parametrize(
    "content_type",
    ["application/octet-stream", "application/json", "multipart/form-data; boundary=b"],
)
def test_a_chunked_body_is_refused_while_it_streams(server: LiveServer, content_type: str) -> None:
    begin = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n'
    with RawConnection(server.port) as connection:
        connection.send_head(f"content-type: {content_type}", "transfer-encoding: chunked")
        connection.send_chunk(begin)
        for _ in range(11):
            connection.send_chunk(b"x" * 10_000)
        # The body's end has not been sent, and yet there is an answer.
        assert_raw_problem(connection.read_answer(), 413, "body_too_large")


def test_a_sender_that_never_ends_is_cut_off(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(
        max_body_bytes=MAX_BODY_BYTES, body_timeout_ms=50, min_body_bytes_per_second=10**9
    )
    with running(settings, FakeEngines()) as live, RawConnection(live.port) as connection:
        connection.send_head(OCTETS, "transfer-encoding: chunked", path="/classify?model=x")
        answer = connection.read_answer()
        assert_raw_problem(answer, 404, "model_not_found")
        eventually(lambda: not accepts(connection, b"x" * MAX_BODY_BYTES))


def accepts(connection: RawConnection, chunk: bytes) -> bool:
    """Whether the server still takes what is sent to it."""
    try:
        connection.send_chunk(chunk)
    except ConnectionError:
        return False
    return True


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_far_over_the_limit_always_sees_why(server: LiveServer, is_chunked: bool) -> None:
    with RawConnection(server.port) as connection:
        # All is sent before anything is read, as most clients do it.
        if is_chunked:
            connection.send_head(OCTETS, "transfer-encoding: chunked")
            for _ in range(30):
                connection.send_chunk(b"x" * 10 * MAX_BODY_BYTES)
            connection.send(b"0\r\n\r\n")
        else:
            connection.send_head(OCTETS, f"content-length: {300 * MAX_BODY_BYTES}")
            connection.send(b"x" * 300 * MAX_BODY_BYTES)
        answer = connection.read_answer()
        assert_raw_problem(answer, 413, "body_too_large")
        assert b"connection: close" in answer.lower()
        assert connection.is_closed_by_server()


def test_a_body_of_exactly_the_limit_passes(server: LiveServer, client: httpx.Client) -> None:
    at_limit = GOOD + b"\x00" * (MAX_BODY_BYTES - len(GOOD))
    assert post_image(client, at_limit).status_code == 200
    assert_problem(post_image(client, at_limit + b"\x00"), 413, "body_too_large")


def test_a_client_that_reads_after_sending_all_still_gets_its_refusal(
    client: httpx.Client,
) -> None:
    # httpx sends its whole body first: closing at once would reset the connection meanwhile.
    response = post_image(client, b"x" * 40 * MAX_BODY_BYTES)
    assert_problem(response, 413, "body_too_large")


def test_a_client_that_waits_for_100_continue_is_refused_without_it(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(
            OCTETS, f"content-length: {MAX_BODY_BYTES + 1}", "expect: 100-continue"
        )
        assert_raw_problem(connection.read_answer(), 413, "body_too_large")


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, f"content-length: {len(GOOD)}", "expect: 100-continue")
        assert connection.read_interim().startswith(b"HTTP/1.1 100 ")
        connection.send(GOOD)
        assert connection.read_answer().startswith(b"HTTP/1.1 200 ")


def test_a_refusal_by_the_query_comes_before_the_body(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, "content-length: 1000", path="/classify?top_k=0")
        assert_raw_problem(connection.read_answer(), 422, "invalid_parameter")


def test_a_refused_request_with_a_small_body_keeps_its_connection(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        for path in ("/classify?model=x", "/classify?version=9"):
            connection.send_head(OCTETS, f"content-length: {len(GOOD)}", path=path)
            connection.send(GOOD)
            answer = connection.read_answer()
            assert_raw_problem(answer, 404, "model_not_found")
            assert b"connection: close" not in answer.lower()
        connection.send_head(OCTETS, f"content-length: {len(GOOD)}")
        connection.send(GOOD)
        assert connection.read_answer().startswith(b"HTTP/1.1 200 ")


def test_the_rest_of_a_refused_body_is_no_request(server: LiveServer) -> None:
    smuggled = b"POST /classify?model=x HTTP/1.1\r\nhost: x\r\n\r\n"
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, "transfer-encoding: chunked", path="/classify?model=x")
        answer = connection.read_answer()
        assert_raw_problem(answer, 404, "model_not_found")
        assert b"connection: close" not in answer.lower()
        for _ in range(3):
            connection.send_chunk(smuggled)
        connection.send(b"0\r\n\r\n")
        connection.send_head(OCTETS, f"content-length: {len(GOOD)}")
        connection.send(GOOD)
        assert connection.read_answer().startswith(b"HTTP/1.1 200 ")


def test_a_refused_sender_that_wants_the_connection_closed_may_finish_first(
    server: LiveServer,
) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(
            OCTETS, f"content-length: {len(GOOD)}", "connection: close", path="/classify?model=x"
        )
        answer = connection.read_answer()
        assert_raw_problem(answer, 404, "model_not_found")
        assert b"connection: close" in answer.lower()
        connection.send(GOOD)
        assert connection.is_closed_by_server()


def test_a_refused_body_that_breaks_its_framing_gets_no_second_answer(server: LiveServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, "transfer-encoding: chunked", path="/classify?model=x")
        assert_raw_problem(connection.read_answer(), 404, "model_not_found")
        connection.send(b"no length\r\n")
        assert connection.is_closed_by_server()


def test_a_refused_sender_that_goes_on_too_slowly_is_cut_off(
    make_settings: Callable[..., Settings],
) -> None:
    with (
        running(make_settings(body_timeout_ms=50), FakeEngines()) as live,
        RawConnection(live.port) as connection,
    ):
        connection.send_head(OCTETS, "content-length: 1000", path="/classify?model=x")
        connection.send(b"x")
        assert_raw_problem(connection.read_answer(), 404, "model_not_found")
        assert connection.is_closed_by_server()


def test_body_timeout(make_settings: Callable[..., Settings]) -> None:
    with (
        running(make_settings(body_timeout_ms=50), FakeEngines()) as live,
        RawConnection(live.port) as connection,
    ):
        connection.send_head(OCTETS, f"content-length: {len(GOOD)}")
        connection.send(GOOD[:10])
        problem = assert_raw_problem(connection.read_answer(), 408, "body_timeout")
        assert "10 bytes" in problem["detail"]


def test_a_slow_line_may_take_longer_than_the_grace(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(
        body_timeout_ms=50, min_body_bytes_per_second=1, request_timeout_ms=10_000
    )
    with (
        running(settings, FakeEngines()) as live,
        RawConnection(live.port) as slow,
        RawConnection(live.port) as silent,
    ):
        slow.send_head(OCTETS, f"content-length: {len(GOOD)}")
        slow.send(GOOD[: int(2 * BOUND_SECONDS)])  # which are good for as many seconds
        silent.send_head(OCTETS, f"content-length: {len(GOOD)}")
        assert_raw_problem(silent.read_answer(), 408, "body_timeout")
        slow.send(GOOD[int(2 * BOUND_SECONDS) :])
        assert slow.read_answer().startswith(b"HTTP/1.1 200 ")


def test_a_request_s_own_time_begins_when_its_body_is_in(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(body_timeout_ms=60_000, request_timeout_ms=500)
    with (
        running(settings, FakeEngines()) as live,
        RawConnection(live.port) as slow,
        RawConnection(live.port) as hurried,
    ):
        slow.send_head(OCTETS, f"content-length: {len(GOOD)}")
        hurried.send_head(OCTETS, f"content-length: {len(GOOD)}", "x-request-timeout-ms: 1")
        time.sleep(0.6)  # longer than a request may take
        slow.send(GOOD)
        assert slow.read_answer().startswith(b"HTTP/1.1 200 ")
        hurried.send(GOOD)
        assert_raw_problem(hurried.read_answer(), 504, "deadline_exceeded")


def test_a_client_that_leaves_while_sending_harms_nobody(
    server: LiveServer, client: httpx.Client
) -> None:
    with RawConnection(server.port) as connection:
        connection.send_head(OCTETS, "content-length: 1000")
        connection.send(b"x" * 10)
    assert post_image(client, GOOD).status_code == 200
