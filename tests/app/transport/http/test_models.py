"""Several models and versions: which answers, and how that changes while requests come."""

import contextlib
import gc
import http.client
import json
import shutil
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from app.cli.keys import add_key
from app.inference.service import State
from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import RawConnection, assert_problem, post_image
from tests.support.images import encode, photo
from tests.support.metrics import samples, value
from tests.support.operator import Operator
from tests.support.repository import ManifestDict, write_model
from tests.support.server import LiveServer, running
from tests.support.waiting import BOUND_SECONDS, eventually

PICTURE = encode(photo(COLOURS[3]))
Serve = Callable[..., AbstractContextManager[tuple[LiveServer, Operator]]]


def other_labels(manifest: ManifestDict) -> None:
    for label in manifest["labels"]:
        label["name"] = f"other {label['index']}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with two versions of one model and one of another."""
    root = tmp_path / "models"
    write_model(root, version=1)
    write_model(root, version=2, change=other_labels)
    write_model(root, name="others")
    return root


@pytest.fixture
def serve(make_settings: Callable[..., Settings], root: Path, tmp_path: Path) -> Serve:
    """Starts a service of that repository, and gives it and who may change it."""
    key = add_key(tmp_path / "keys.json", "operator", ["admin", "classify"])

    @contextmanager
    def serve(
        engines: FakeEngines | None = None, *, ready: bool = True, **options: object
    ) -> Iterator[tuple[LiveServer, Operator]]:
        files = {"model_repository": root, "api_keys_file": tmp_path / "keys.json"}
        settings = make_settings(**(files | {"model": "colours:1"} | options))
        with (
            running(settings, engines or FakeEngines(), ready=ready) as live,
            live.client() as client,
        ):
            yield live, Operator(client, key)

    return serve


def test_models_and_versions_are_served_side_by_side(serve: Serve) -> None:
    with serve(models="colours:1,colours:2,others") as (_, operator):
        models = operator.client.get("/models").json()["models"]
        assert [f"{model['name']}:{model['version']}" for model in models] == [
            "colours:1", "colours:2", "others:1",
        ]  # fmt: skip
        assert operator.answered_by(PICTURE) == "colours:1"
        assert operator.answered_by(PICTURE, version="2") == "colours:2"
        assert operator.answered_by(PICTURE, model="others") == "others:1"
        assert_problem(
            operator.classify(PICTURE, model="others", version="2"), 404, "model_not_found"
        )
        for version in ("1", "2"):
            labels = {"model": "colours", "version": version}
            assert value(operator.client, "senet_requests_total", status="200", **labels) == 1
            assert value(operator.client, "senet_images_total", outcome="ok", **labels) == 1
            assert value(operator.client, "senet_model_state", state="ready", **labels) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"models": "all"}, ["colours:1", "colours:2", "others:1"]),
        ({"models": "others,colours"}, ["colours:1", "colours:2", "others:1"]),
        ({"models": "others", "model": "others:1"}, ["others:1"]),
        ({"models": "colours:2"}, ["colours:1", "colours:2"]),
        ({}, ["colours:1"]),
    ],
)
def test_which_models_are_served(
    serve: Serve, options: dict[str, str], expected: list[str]
) -> None:
    with serve(**options) as (_, operator):
        models = operator.client.get("/models").json()["models"]
        found = [f"{model['name']}:{model['version']}" for model in models]
        assert found == expected


def test_without_a_default_of_its_own_the_first_model_answers(root: Path) -> None:
    settings = Settings(model_repository=root, models=("others", "colours"), inference_threads=1)
    with running(settings, FakeEngines()) as live, live.client() as client:
        assert post_image(client, PICTURE).json()["model"]["name"] == "others"


def test_labels_of_versions_do_not_mix(serve: Serve) -> None:
    with serve(models="colours:2") as (_, operator):
        operator.done(operator.split("colours", {"1": 50, "2": 50}))
        for _ in range(40):
            body = operator.classify(PICTURE).json()
            names = {item["label"] for item in body["results"][0]["predictions"]}
            kind = "colour" if body["model"]["version"] == "1" else "other"
            assert {name.split()[0] for name in names} == {kind}


def test_a_version_is_loaded_made_stable_and_the_old_one_unloaded(serve: Serve) -> None:
    with serve() as (_, operator):
        operator.done(operator.load("colours", 2))
        assert operator.versions("colours") == {"1": "ready", "2": "ready"}
        assert operator.answered_by(PICTURE) == "colours:1"
        assert operator.answered_by(PICTURE, version="2") == "colours:2"
        assert operator.answered_by(PICTURE, version="stable") == "colours:1"
        assert_problem(operator.classify(PICTURE, version="canary"), 404, "model_not_found")

        operator.done(operator.label("colours", "canary", 2))
        assert operator.answered_by(PICTURE, version="canary") == "colours:2"
        operator.done(operator.label("colours", "stable", "2"))
        assert operator.status("colours")["labels"] == {"stable": "2", "canary": "2"}
        assert operator.answered_by(PICTURE) == "colours:2"

        operator.done(operator.unload("colours", 1))
        assert operator.versions("colours") == {"2": "ready"}
        assert_problem(operator.classify(PICTURE, version="1"), 404, "model_not_found")
        seen = {labels for _, labels in samples(operator.client)}
        assert not [labels for labels in seen if ("version", "1") in labels]


def test_a_split_is_kept_to(serve: Serve) -> None:
    with serve(models="colours:2", max_queue_size=512) as (live, operator):
        operator.done(operator.split("colours", {"1": 90, "2": 10}))
        draws = [live.service.models.table.find(None, None).model.version for _ in range(5000)]
        assert 400 <= draws.count("2") <= 600
        assert operator.status("colours")["split"] == {"1": 90, "2": 10}
        # Whoever is asked for by name answers all the same.
        assert operator.answered_by(PICTURE, version="2") == "colours:2"
        operator.done(operator.split("colours", {"1": 0, "2": 100}))
        assert Counter(operator.answered_by(PICTURE) for _ in range(20)) == {"colours:2": 20}
        operator.done(operator.label("colours", "stable", "1"))  # ends the split
        assert operator.status("colours")["split"] == {}
        assert operator.answered_by(PICTURE) == "colours:1"


def test_a_canary_gets_its_share_of_five_thousand_requests(serve: Serve) -> None:
    with serve(models="colours:2") as (live, operator):
        operator.done(operator.split("colours", {"1": 90, "2": 10}))
        headers = {"content-type": "image/png", "x-api-key": operator.client.headers["x-api-key"]}
        # Not httpx, which takes twice as long for a request as the service.
        connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=BOUND_SECONDS)
        with contextlib.closing(connection):
            answers: Counter[str] = Counter()
            for _ in range(5000):
                connection.request("POST", "/classify?top_k=1", PICTURE, headers)
                answers[json.load(connection.getresponse())["model"]["version"]] += 1
        assert set(answers) == {"1", "2"}
        assert abs(answers["2"] / 5000 - 0.1) <= 0.02  # nearly five standard deviations
        for version, count in answers.items():
            labels = {"model": "colours", "version": version, "status": "200"}
            assert value(operator.client, "senet_requests_total", **labels) == count


@pytest.mark.parametrize(
    ("weights", "status", "code"),
    [
        ({"1": 90, "2": 11}, 422, "invalid_parameter"),
        ({"1": 50}, 422, "invalid_parameter"),
        ({}, 422, "invalid_parameter"),
        ({"1": 110, "2": -10}, 422, "invalid_parameter"),
        ({"1": 99.5, "2": 0.5}, 422, "invalid_parameter"),
        ({"1": "100"}, 422, "invalid_parameter"),
        ({"1": True, "2": 99}, 422, "invalid_parameter"),
        ({"stable": 100}, 422, "invalid_parameter"),
        ({"01": 100}, 422, "invalid_parameter"),
        ([100], 422, "invalid_parameter"),
        ({"1": 90, "3": 10}, 409, "load_conflict"),
    ],
)
def test_a_split_that_cannot_be(serve: Serve, weights: object, status: int, code: str) -> None:
    with serve(models="colours:2") as (_, operator):
        assert_problem(operator.split("colours", weights), status, code)
        assert operator.status("colours")["split"] == {}


def test_bodies_that_are_none(serve: Serve) -> None:
    with serve() as (_, operator):
        path = "/models/colours/split"
        assert_problem(operator.client.put(path, content=b"{"), 400, "malformed_request")
        assert_problem(operator.client.put(path, content=b"\xff\xfe"), 400, "malformed_request")
        assert_problem(operator.client.put(path), 400, "malformed_request")
        long = b"[" * 20_000
        assert_problem(operator.client.put(path, content=long), 413, "body_too_large")
        assert_problem(operator.client.put(path, content=b"[" * 10_000), 400, "malformed_request")
        path = "/models/colours/labels/stable"
        for body in ({}, {"version": None}, {"version": "1", "x": 1}, {"version": "latest"}):
            assert_problem(operator.client.put(path, json=body), 422, "invalid_parameter")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("split", b'{"1": 90, "2": 10, "2": 10}'),
        ("split", rb'{"1": 50, "\u0031": 90, "2": 10}'),
        ("labels/stable", b'{"version": "1", "version": "2"}'),
        ("shadow", b'{"version": "2", "share": 1, "share": 100}'),
    ],
)
def test_what_is_said_twice_is_refused(serve: Serve, path: str, body: bytes) -> None:
    with serve(models="colours:1,colours:2") as (_, operator):
        before = operator.status("colours")
        response = operator.client.put(f"/models/colours/{path}", content=body)
        assert_problem(response, 422, "invalid_parameter")
        assert "stands twice" in response.json()["detail"]
        assert operator.status("colours") == before


def test_a_body_may_begin_with_a_byte_order_mark(serve: Serve) -> None:
    with serve(models="colours:1,colours:2") as (_, operator):
        body = b'\xef\xbb\xbf{"1": 90, "2": 10}'
        assert operator.client.put("/models/colours/split", content=body).status_code == 202
        assert operator.status("colours")["split"] == {"1": 90, "2": 10}


def test_a_label_on_a_version_that_is_not_ready(serve: Serve) -> None:
    engines = FakeEngines()
    with serve(engines) as (_, operator):
        assert_problem(operator.label("colours", "canary", "2"), 409, "load_conflict")
        engines.gate.close()
        loading = operator.load("colours", 2)
        engines.gate.wait_until_held()
        assert_problem(operator.label("colours", "stable", "2"), 409, "load_conflict")
        assert_problem(operator.label("others", "stable", "1"), 404, "model_not_found")
        assert_problem(operator.label("colours", "newest", "1"), 422, "invalid_parameter")
        engines.gate.open()
        operator.done(loading)


def test_two_loads_of_one_model_at_once(serve: Serve) -> None:
    engines = FakeEngines()
    with serve(engines) as (_, operator):
        engines.gate.close()
        first = operator.load("colours", 2)
        engines.gate.wait_until_held()
        assert_problem(operator.load("colours", 2), 409, "load_conflict")
        assert_problem(operator.load("colours", 1), 409, "load_conflict")
        second = operator.load("others", 1)  # waits for the first
        assert operator.answered_by(PICTURE) == "colours:1"
        engines.gate.open()
        operator.done(first)
        operator.done(second)
        assert_problem(operator.load("colours", 2), 409, "load_conflict")


@pytest.mark.parametrize(
    "name",
    ["..", "%2e%2e", "Colours", "a%20b", "x" * 65, "%00", "-", "colours%0a"],
)
def test_names_that_are_none(serve: Serve, name: str) -> None:
    with serve() as (_, operator):
        for response in (operator.load(name, 1), operator.unload(name, 1)):
            assert response.status_code in (404, 405, 422), response.text
        assert operator.answered_by(PICTURE) == "colours:1"


@pytest.mark.parametrize("version", ["0", "-1", "01", "1.5", "latest", "9" * 19, "%2e%2e"])
def test_versions_that_are_none(serve: Serve, version: str) -> None:
    with serve() as (_, operator):
        assert_problem(operator.load("colours", version), 422, "invalid_parameter")
        assert_problem(operator.unload("colours", version), 422, "invalid_parameter")


def break_file(folder: Path) -> None:
    with (folder / "model.fp32.onnx").open("ab") as file:
        file.write(b"\0")


def break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


def later_schema(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(
        text.replace('"schema_version": 2', '"schema_version": 9')
    )


def remove(folder: Path) -> None:
    folder.rename(folder.parent / "7.gone")


def link_to_itself(folder: Path) -> None:
    remove(folder)
    folder.symlink_to(folder)


def link_to_another_version(folder: Path) -> None:
    remove(folder)
    folder.symlink_to(folder.parent / "1")


@pytest.mark.parametrize(
    ("spoil", "step", "told"),
    [
        (break_file, "verify", "its manifest says"),
        (break_manifest, "find", "manifest.json"),
        (later_schema, "find", "has schema 9"),
        (remove, "find", "colours:2 is not in"),
        (link_to_itself, "find", "colours:2 is not in"),
        (link_to_another_version, "find", "is of colours:1"),
    ],
)
def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(
    serve: Serve, root: Path, spoil: Callable[[Path], None], step: str, told: str
) -> None:
    spoil(root / "colours" / "2")
    with serve() as (_, operator):
        response = operator.load("colours", 2)
        if response.status_code == 202:
            job = operator.finished(response)
            assert (job["state"], job["step"]) == ("failed", step)
            error = job["error"]
        else:
            error = assert_problem(response, 422, "load_refused")["detail"]
        assert error.startswith(f"{step}: ")
        assert told in error
        assert operator.versions("colours") == {"1": "ready"}
        assert operator.answered_by(PICTURE) == "colours:1"


def test_an_engine_that_fails_its_test_leaves_the_old_one_serving(serve: Serve) -> None:
    engines = FakeEngines()
    with serve(engines) as (live, operator):

        def fail(*_: object) -> dict[str, object]:
            raise RuntimeError("of the engine")

        old, engines.engine = engines.engine, FakeEngine(respond=fail)  # type: ignore[arg-type]
        job = operator.finished(operator.load("colours", 2))
        assert (job["state"], job["step"]) == ("failed", "warm")
        assert "of the engine" in job["error"]
        assert operator.answered_by(PICTURE) == "colours:1"
        gone = weakref.ref(engines.engine)
        engines.engine = old
        eventually(lambda: gone() is None)
        assert live.failures == []


def test_unloading_waits_for_the_last_answer_and_then_frees_the_engine(serve: Serve) -> None:
    engines = FakeEngines()
    with serve(engines, models="colours:2") as (live, operator):
        # The versions have an engine each: the first one's is held.
        engine = engines.engine
        engine.gate.close()
        answers: list[str] = []
        with live.client() as client:
            client.headers["x-api-key"] = operator.client.headers["x-api-key"]
            old = Operator(client, client.headers["x-api-key"])
            thread = threading.Thread(
                target=lambda: answers.append(old.answered_by(PICTURE, version="2"))
            )
            thread.start()
            engine.gate.wait_until_held()
            response = operator.unload("colours", 2)
            assert operator.versions("colours") == {"1": "ready", "2": "draining"}
            assert_problem(operator.classify(PICTURE, version="2"), 404, "model_not_found")
            assert_problem(operator.load("colours", 2), 409, "load_conflict")
            assert_problem(operator.unload("colours", 2), 404, "model_not_found")
            engine.gate.open()
            thread.join()
        operator.done(response)
        assert answers == ["colours:2"]
        assert operator.versions("colours") == {"1": "ready"}


def test_an_unloaded_engine_is_freed_without_the_collector(serve: Serve) -> None:
    engines = FakeEngines()
    with serve(engines) as (_, operator):
        old, engines.engine = engines.engine, FakeEngine()
        operator.done(operator.load("colours", 2))
        operator.answered_by(PICTURE, version="2")
        gone, engines.engine = weakref.ref(engines.engine), old
        gc.disable()
        try:
            operator.done(operator.unload("colours", 2))
            eventually(lambda: gone() is None)
        finally:
            gc.enable()


def test_what_would_leave_requests_without_an_answer_is_refused(serve: Serve) -> None:
    with serve(models="colours:2") as (_, operator):
        assert_problem(operator.unload("colours", 1), 409, "load_conflict")  # it is stable
        operator.done(operator.split("colours", {"1": 50, "2": 50}))
        assert_problem(operator.unload("colours", 2), 409, "load_conflict")
        operator.done(operator.split("colours", {"1": 100, "2": 0}))
        operator.done(operator.unload("colours", 2))
        assert operator.status("colours")["split"] == {"1": 100}


def test_the_last_model_unloaded(serve: Serve) -> None:
    with serve() as (_, operator):
        operator.done(operator.unload("colours", 1))
        problem = assert_problem(operator.client.get("/readyz"), 503, "not_ready")
        assert problem["detail"] == "no model is loaded"
        assert operator.client.get("/livez").status_code == 200
        assert operator.client.get("/startupz").status_code == 200
        assert operator.client.get("/models").json() == {"models": []}
        assert_problem(operator.classify(PICTURE), 503, "not_ready")
        assert_problem(operator.classify(PICTURE, model="colours"), 503, "not_ready")
        assert value(operator.client, "senet_ready") == 0
        operator.done(operator.load("colours", 2))
        assert operator.client.get("/readyz").status_code == 200
        assert value(operator.client, "senet_ready") == 1
        assert operator.answered_by(PICTURE) == "colours:2"


def test_the_default_model_unloaded_while_others_serve(serve: Serve) -> None:
    with serve(models="others") as (_, operator):
        operator.done(operator.unload("colours", 1))
        assert operator.client.get("/readyz").status_code == 200
        assert_problem(operator.classify(PICTURE), 404, "model_not_found")
        assert operator.answered_by(PICTURE, model="others") == "others:1"


def test_nothing_changes_while_it_starts_or_drains(serve: Serve) -> None:
    engines = FakeEngines()
    engines.gate.close()
    with serve(engines, ready=False) as (live, operator):
        assert_problem(operator.load("colours", 2), 503, "not_ready")
        engines.gate.open()
        live.wait_until_ready()
        engine = engines.engine
        engine.gate.close()
        with RawConnection(live.port) as waiting:
            key = operator.client.headers["x-api-key"]
            waiting.send_head(
                "content-type: image/png", f"content-length: {len(PICTURE)}", f"x-api-key: {key}"
            )
            waiting.send(PICTURE)
            engine.gate.wait_until_held()
            live.begin_drain()
            eventually(lambda: live.service.state is State.DRAINING)
            assert_problem(operator.load("colours", 2), 503, "draining")
            assert_problem(operator.unload("colours", 1), 503, "draining")
            assert_problem(operator.label("colours", "stable", 1), 503, "draining")
            engine.gate.open()
            assert b" 200 " in waiting.read_answer()


def test_a_load_under_way_does_not_hold_up_the_end(serve: Serve) -> None:
    engines = FakeEngines()
    with serve(engines) as (live, operator):
        engines.gate.close()
        assert operator.load("colours", 2).status_code == 202
        engines.gate.wait_until_held()
        live.begin_drain()
        eventually(lambda: live.service.state is State.DRAINING)
        engines.gate.open()
        live.join()
        assert live.failures == []


def test_only_who_may_changes_what_is_loaded(
    serve: Serve, tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    key = add_key(tmp_path / "keys.json", "shop", ["classify"])
    with serve() as (live, _), live.client() as client:
        shop = Operator(client, key)
        for asked, status, code in ((key, 403, "forbidden"), ("none", 401, "unauthenticated")):
            client.headers["x-api-key"] = asked
            assert_problem(shop.load("colours", 2), status, code)
            assert_problem(shop.unload("colours", 1), status, code)
            assert_problem(shop.label("colours", "stable", 1), status, code)
            assert_problem(shop.split("colours", {"1": 100}), status, code)
    with running(make_settings(), FakeEngines()) as live, live.client() as client:
        problem = assert_problem(Operator(client, "any").load("colours", 2), 403, "forbidden")
        assert "--api-keys-file" in problem["detail"]


def test_each_change_leaves_a_line_with_the_key_s_name(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), serve() as (_, operator):
        operator.done(operator.load("colours", 2))
        operator.load("colours", 7)
        operator.label("colours", "stable", 2)
        operator.split("colours", {"1": 5, "2": 95})
        operator.split("colours", {"1": 0, "2": 100})
        operator.done(operator.unload("colours", 1))
    lines = [vars(record) for record in caplog.records if "action" in vars(record)]
    assert {line["caller"] for line in lines} == {"operator"}
    told = [(line["action"], line["model"], line["version"], line["levelname"]) for line in lines]
    assert told == [
        ("load", "colours", "2", "INFO"),
        ("load", "colours", "7", "WARNING"),
        ("label stable", "colours", "2", "INFO"),
        ("split", "colours", "1: 5, 2: 95", "INFO"),
        ("split", "colours", "1: 0, 2: 100", "INFO"),
        ("unload", "colours", "1", "INFO"),
    ]


def test_a_thousand_versions_in_the_repository(serve: Serve, root: Path) -> None:
    for version in range(3, 1001):
        (root / "colours" / str(version)).mkdir()
        (root / "colours" / str(version) / "manifest.json").touch()
    with serve() as (_, operator):
        operator.done(operator.load("colours", 2))
        assert_problem(operator.load("colours", 1000), 422, "load_refused")
        assert_problem(operator.load("cats", 1), 422, "load_refused")


def test_a_model_that_is_not_known(serve: Serve) -> None:
    with serve() as (_, operator):
        assert_problem(operator.client.get("/models/cats"), 404, "model_not_found")
        assert_problem(operator.unload("cats", 1), 404, "model_not_found")
        assert_problem(operator.split("cats", {"1": 100}), 404, "model_not_found")


def test_a_shadow_sees_what_another_version_answers(serve: Serve) -> None:
    with serve(models="colours:2") as (_, operator):

        def seen(outcome: str) -> float:
            labels = {"model": "colours", "version": "2", "outcome": outcome}
            return value(operator.client, "senet_shadow_images_total", **labels)

        operator.done(operator.shadow("colours", 2, 100))
        assert operator.status("colours")["shadow"] == {"2": 100}
        assert {operator.answered_by(PICTURE) for _ in range(5)} == {"colours:1"}
        eventually(lambda: seen("agreed") + seen("skipped") == 5)
        assert seen("agreed") >= 1
        before = seen("agreed")
        operator.answered_by(PICTURE, version="2")  # its own answers tell nothing
        assert_problem(operator.classify(b"none"), 415, "unsupported_image_format")
        operator.done(operator.shadow("colours", 2, 0))
        operator.answered_by(PICTURE)
        assert seen("agreed") == before
        operator.done(operator.shadow("colours", 2, 50))
        operator.done(operator.unload("colours", 2))
        assert operator.status("colours")["shadow"] == {}
        assert operator.answered_by(PICTURE) == "colours:1"


@pytest.mark.parametrize(
    ("version", "share", "status", "code"),
    [(3, 10, 409, "load_conflict"), (2, 101, 422, "invalid_parameter"),
     (2, -1, 422, "invalid_parameter"), (2, "1", 422, "invalid_parameter")],
)  # fmt: skip
def test_a_shadow_that_cannot_be(
    serve: Serve, version: int, share: object, status: int, code: str
) -> None:
    with serve(models="colours:2") as (_, operator):
        assert_problem(operator.shadow("colours", version, share), status, code)


def test_a_higher_version_in_the_repository_comes_into_service(serve: Serve, root: Path) -> None:
    (root / "colours" / "2").rename(root / "colours" / "kept")
    with serve(model="colours", repository_poll_seconds=0.02) as (_, operator):
        assert operator.answered_by(PICTURE) == "colours:1"
        (root / "colours" / "kept").rename(root / "colours" / "2")
        eventually(lambda: operator.versions("colours") == {"2": "ready"})
        assert operator.answered_by(PICTURE) == "colours:2"


def test_a_version_that_was_rolled_back_is_not_brought_again(serve: Serve, root: Path) -> None:
    folder = root / "colours"
    (folder / "2").rename(folder / "kept")
    with serve(model="colours", repository_poll_seconds=0.02) as (_, operator):
        (folder / "kept").rename(folder / "2")
        eventually(lambda: operator.versions("colours") == {"2": "ready"})
        operator.done(operator.load("colours", 1))
        operator.done(operator.label("colours", "stable", 1))
        operator.done(operator.unload("colours", 2))
        # That the next version is looked at, and refused, shows that there was another look.
        shutil.copytree(folder / "2", folder / "broken")
        (folder / "broken" / "model.fp32.onnx").write_bytes(b"")
        manifest = json.loads((folder / "broken" / "manifest.json").read_text())
        (folder / "broken" / "manifest.json").write_text(json.dumps(manifest | {"version": 3}))
        (folder / "broken").rename(folder / "3")
        eventually(lambda: operator.status("colours")["jobs"][0]["version"] == "3")
        assert operator.versions("colours") == {"1": "ready"}
        assert operator.answered_by(PICTURE) == "colours:1"


def test_a_half_copied_version_is_taken_once_it_is_whole(serve: Serve, root: Path) -> None:
    model = root / "colours" / "2" / "model.fp32.onnx"
    whole = model.read_bytes()
    model.write_bytes(whole[:100])
    with serve(model="colours:1", repository_poll_seconds=0.02) as (_, operator):
        assert operator.versions("colours") == {"1": "ready"}  # it is pinned
    (root / "colours" / "2").rename(root / "colours" / "kept")
    with serve(model="colours", repository_poll_seconds=0.02) as (_, operator):
        (root / "colours" / "kept").rename(root / "colours" / "2")
        eventually(lambda: bool(operator.status("colours")["jobs"]))
        eventually(lambda: operator.status("colours")["jobs"][0]["state"] == "failed")
        assert operator.answered_by(PICTURE) == "colours:1"
        model.write_bytes(whole)
        eventually(lambda: operator.versions("colours") == {"2": "ready"})
        failures = [job for job in operator.status("colours")["jobs"] if job["state"] == "failed"]
        assert len(failures) <= 2  # as often as its files have changed, not at each look
