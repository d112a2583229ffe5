"""One client in several processes, event loops and threads: each answer is its own image's."""

import asyncio
import gc
import subprocess
import sys
import threading
from typing import Any

import pytest

from senet_client import AsyncClient, Client, errors
from tests.conftest import Surface
from tests.fake_service import FakeService, Reply, best_class, listening, url_of

# Programs of their own, for a fork of the test's process would take its threads' locks along.
_FORKS = """
import asyncio, os, sys
from senet_client import AsyncClient, Client
from tests.fake_service import best_class

def check(client, image):
    answer = client.classify(image)
    if isinstance(client, AsyncClient):
        answer = asyncio.run(answer)
    assert answer.predictions[0].class_index == best_class(image)

client = {kind}(sys.argv[1])
check(client, b"before")
children = []
for child in range(3):
    process = os.fork()
    if process == 0:
        try:
            for number in range(30):
                check(client, f"{{child}} {{number}}".encode())
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    children.append(process)
check(client, b"after")
sys.exit(any(os.waitpid(process, 0)[1] for process in children))
"""

_FORK_AMID_RESULTS = """
import os, sys
from senet_client import Client, errors

results = Client(sys.argv[1], images_per_request=1).classify_many([b"1", b"2", b"3", b"4"])
next(results)
process = os.fork()
try:
    rest = list(results)
except errors.InvalidArgument as error:
    print(error)
    os._exit(7)
if process == 0:
    os._exit(1)
sys.exit(len(rest) != 3 or os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != 7)
"""


def _program(text: str, url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - the tests' own program
        [sys.executable, "-c", text, url], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_children_of_a_fork_get_their_own_answers(kind: str) -> None:
    with listening(FakeService()) as server:
        done = _program(_FORKS.format(kind=kind), url_of(server))

    assert (done.returncode, done.stderr) == (0, "")


def test_a_fork_amid_results_ends_them_in_the_child() -> None:
    with listening(FakeService()) as server:
        done = _program(_FORK_AMID_RESULTS, url_of(server))

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("status", [200, 429, 500])
def test_an_answer_to_another_request_is_an_error(
    client: Surface, service: FakeService, status: int
) -> None:
    service.script.append(Reply(status, {"code": "overloaded"}, {"x-request-id": "anothers"}))

    with pytest.raises(errors.AnswerOfAnother, match=r"'anothers' instead of '[0-9a-f]{32}'"):
        client.classify(b"x")

    assert len(service.requests) == 1


def test_a_connection_that_mixes_up_answers_is_not_used_again() -> None:
    seen: list[str] = []  # the name of the thread that served the connection
    service = FakeService(on_classify=lambda _: seen.append(threading.current_thread().name))
    answer = service.answer
    with listening(service) as server, Client(url_of(server)) as client:
        client.classify(b"1")
        service.answer = lambda *request: (  # type: ignore[method-assign]  # of another request
            Reply(200, answer(*request).body, {"x-request-id": "anothers"})
        )
        with pytest.raises(errors.AnswerOfAnother):
            client.classify(b"2")
        service.answer = answer  # type: ignore[method-assign]  # and its own again
        client.classify(b"3")

    assert seen[0] == seen[1]
    assert seen[2] != seen[1]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_async_client_serves_one_event_loop_after_another() -> None:
    with listening(FakeService()) as server:
        client = AsyncClient(url_of(server))
        for image in (b"1", b"2", b"3"):
            answer = asyncio.run(client.classify(image))
            assert answer.predictions[0].class_index == best_class(image)
        asyncio.run(client.close())
        del client
        gc.collect()  # the sockets of the closed loops


def test_calls_beyond_the_limit_wait_their_turn() -> None:
    under_way = most = 0
    lock, full = threading.Lock(), threading.Event()

    def count(_: list[bytes]) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
            if under_way == 3:
                full.set()
        full.wait(30)
        with lock:
            under_way -= 1

    async def all_at_once(url: str) -> None:
        async with AsyncClient(url, max_connections=3) as client:
            images = [str(number).encode() for number in range(40)]
            answers = await asyncio.gather(*(client.classify(image) for image in images))
        for image, answer in zip(images, answers, strict=True):
            assert answer.predictions[0].class_index == best_class(image)

    with listening(FakeService(on_classify=count)) as server:
        asyncio.run(all_at_once(url_of(server)))

    assert most == 3


def test_who_waits_in_line_in_vain_is_told() -> None:
    released, held = threading.Event(), threading.Event()

    def hold(_: list[bytes]) -> None:
        held.set()
        released.wait(30)

    with (
        listening(FakeService(on_classify=hold)) as server,
        Client(url_of(server), max_connections=1) as client,
    ):
        first = threading.Thread(target=client.classify, args=(b"1",))
        first.start()
        held.wait(30)
        with pytest.raises(errors.TimedOut, match="other calls of this client") as raised:
            client.classify(b"2", timeout=0.01)
        assert client.ready()  # asks without waiting in line
        released.set()
        first.join()
    assert raised.value.attempts == 0


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("classify", [b"x"]),
        ("classify_batch", [[b"x"]]),
        ("classify_many", [[b"x"]]),
        ("models", []),
        ("ready", []),
    ],
)
def test_a_closed_client_says_so(client: Any, call: str, arguments: list[Any]) -> None:
    client.close()

    with pytest.raises(errors.ClientClosed, match="this client is closed"):
        getattr(client, call)(*arguments)
