"""Starting, ready, draining, failed: what each route answers meanwhile."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from app.contract.errors import ConfigurationError
from app.inference.service import State
from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import RawConnection, assert_problem, post_image, top_classes
from tests.support.images import encode, photo
from tests.support.metrics import value
from tests.support.server import LiveServer, running
from tests.support.waiting import eventually

PICTURE = encode(photo(COLOURS[9]))


def test_not_ready_until_the_model_is_loaded(make_settings: Callable[..., Settings]) -> None:
    engines = FakeEngines()
    engines.gate.close()
    with running(make_settings(), engines, ready=False) as live, live.client() as client:
        engines.gate.wait_until_held()
        assert client.get("/livez").status_code == 200
        for path in ("/readyz", "/startupz", "/models"):
            response = client.get(path)
            assert_problem(response, 503, "not_ready")
            assert int(response.headers["retry-after"]) >= 1
        assert_problem(post_image(client, PICTURE), 503, "not_ready")
        assert value(client, "senet_ready") == 0
        assert not live.became_ready.is_set()
        engines.gate.open()
        live.wait_until_ready()
        assert live.became_ready.is_set()
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/startupz").json() == {"status": "started"}
        assert value(client, "senet_ready") == 1
        assert top_classes(post_image(client, PICTURE)) == [9]


def test_draining_answers_what_was_accepted_and_refuses_the_rest(
    make_settings: Callable[..., Settings],
) -> None:
    engine = FakeEngine()
    with (
        running(make_settings(), FakeEngines(engine)) as live,
        live.client() as client,
        ThreadPoolExecutor(1) as threads,
        RawConnection(live.port) as uploading,
    ):
        uploading.send_head("content-type: image/png", f"content-length: {len(PICTURE)}")
        uploading.send(PICTURE[:5])
        engine.gate.close()
        accepted = threads.submit(classify_alone, live)
        engine.gate.wait_until_held()
        live.begin_drain()
        eventually(lambda: live.service.state is State.DRAINING)

        response = client.get("/readyz")
        assert_problem(response, 503, "draining")
        assert client.get("/livez").status_code == 200
        assert value(client, "senet_ready") == 0
        response = post_image(client, PICTURE)
        assert_problem(response, 503, "draining")
        assert int(response.headers["retry-after"]) >= 1
        # Not accepted yet when the drain began: refused with an answer, too.
        uploading.send(PICTURE[5:])
        assert uploading.read_answer().startswith(b"HTTP/1.1 503 ")

        engine.gate.open()
        assert top_classes(accepted.result()) == [9]
        live.join()


def classify_alone(live: LiveServer) -> httpx.Response:
    with live.client() as client:
        return post_image(client, PICTURE)


def test_draining_while_the_model_loads_stops_the_server(
    make_settings: Callable[..., Settings],
) -> None:
    engines = FakeEngines()
    engines.gate.close()
    with running(make_settings(), engines, ready=False) as live:
        engines.gate.wait_until_held()
        live.begin_drain()
        eventually(lambda: live.service.state is State.DRAINING)
        engines.gate.open()
        live.join()
    assert live.failures == []


def test_what_a_drain_leaves_is_answered_too(make_settings: Callable[..., Settings]) -> None:
    engine = FakeEngine()
    with (
        running(make_settings(drain_seconds=0.05), FakeEngines(engine)) as live,
        ThreadPoolExecutor(1) as threads,
    ):
        engine.gate.close()
        accepted = threads.submit(classify_alone, live)
        engine.gate.wait_until_held()
        live.begin_drain()
        assert_problem(accepted.result(), 503, "draining")
        engine.gate.open()
        live.join()


def test_a_model_that_cannot_be_loaded_is_reported_once(
    make_settings: Callable[..., Settings],
) -> None:
    error = ConfigurationError("provider", "it did not load", "choose another")
    engines = FakeEngines(refusals={"cpu": error})
    with running(make_settings(), engines, ready=False) as live, live.client() as client:
        eventually(lambda: live.service.state is State.FAILED)
        assert live.failures == [error]
        assert_problem(client.get("/livez"), 503, "not_ready")
        assert_problem(client.get("/readyz"), 503, "not_ready")
        assert_problem(post_image(client, PICTURE), 503, "not_ready")


def test_a_thread_that_is_lost_turns_readiness_off_and_is_reported(
    make_settings: Callable[..., Settings],
) -> None:
    class Death(BaseException):
        """What no thread survives: it is not an `Exception`."""

    death = Death("of the engine")

    def die(*_: object) -> dict[str, object]:
        raise death

    engine = FakeEngine()
    settings = make_settings(request_timeout_ms=500)
    with running(settings, FakeEngines(engine)) as live, live.client() as client:
        engine.respond = die  # type: ignore[assignment]
        assert post_image(client, PICTURE).status_code in (500, 503, 504)
        eventually(lambda: live.service.state is State.FAILED)
        assert live.failures == [death]
        assert_problem(client.get("/readyz"), 503, "not_ready")
        assert_problem(client.get("/livez"), 503, "not_ready")
        assert_problem(post_image(client, PICTURE), 503, "not_ready")
