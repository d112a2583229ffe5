"""What operators and newcomers look at: health, metrics, models, documentation."""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.cli.keys import add_key
from app.hardware import available_cores
from app.settings import Settings
from tests.support.colours import COLOURS, INPUT_SIDE
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import assert_problem, post_image, post_json
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.metrics import read_openmetrics, samples, value
from tests.support.server import running

PICTURE = encode(photo(COLOURS[0]))
MODEL = {"model": "colours", "version": "1"}


@pytest.mark.parametrize(
    ("path", "status"), [("/livez", "alive"), ("/readyz", "ready"), ("/startupz", "started")]
)
def test_health_while_all_is_well(client: httpx.Client, path: str, status: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.json() == {"status": status}


def test_models_lists_what_is_loaded(client: httpx.Client) -> None:
    [model] = client.get("/models").json()["models"]
    answered = post_image(client, PICTURE).json()["model"]
    assert {key: model[key] for key in answered} == answered
    assert model["architecture"] == "mean_colour"
    assert model["provider"] == "cpu"
    assert model["input"] == {"height": INPUT_SIDE, "width": INPUT_SIDE}
    assert model["labels"] == len(COLOURS)
    assert (model["threads"], model["slots"]) == (1, available_cores())
    assert model["chosen_by"] == "setting"
    assert model["untrained"] is False


@pytest.mark.parametrize(
    "path",
    ["/", "/livez", "/readyz", "/startupz", "/metrics", "/models", "/docs", "/openapi.json"],
)
def test_head_is_answered_as_get_is_without_the_body(client: httpx.Client, path: str) -> None:
    get, head = client.get(path), client.head(path)
    assert head.status_code == get.status_code
    assert head.headers.get("content-type") == get.headers.get("content-type")
    assert head.content == b""
    assert client.get("/livez").status_code == 200  # on the same connection


def test_head_is_counted_by_its_route(client: httpx.Client) -> None:
    to_livez = {"route": "/livez", "status": "200"}
    before = value(client, "senet_requests_total", **to_livez)
    assert client.head("/livez").status_code == 200
    assert value(client, "senet_requests_total", **to_livez) == before + 1


def test_head_of_what_has_no_get(client: httpx.Client) -> None:
    assert client.head("/classify").status_code == 405
    assert client.head("/nowhere").status_code == 404


def test_head_of_a_service_that_is_not_ready(make_settings: Callable[..., Settings]) -> None:
    engine = FakeEngine()
    engine.gate.close()
    with running(make_settings(), FakeEngines(engine), ready=False) as live:
        with live.client() as client:
            assert client.head("/livez").status_code == 200
            assert client.head("/readyz").status_code == 503
        engine.gate.open()


def test_a_redirect_stays_on_its_host(client: httpx.Client) -> None:
    response = client.get("/docs/?a=b", headers={"host": "other.example"})
    assert response.status_code == 307
    assert response.headers["location"] == "/docs?a=b"


def test_the_documentation_loads_nothing_from_other_hosts(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert not re.findall(r"""(?:src|href|url)\s*[=:(]\s*["']?(?:https?:)?//""", page)
    files = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(files) >= 3
    for path in files:
        assert client.get(path).status_code == 200
    # Should the page ever ask for something of another host, the browser is told to refuse.
    assert "default-src 'self'" in client.get("/docs").headers["content-security-policy"]


def test_openapi_tells_forms_parameters_and_problems(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/classify"]["post"]
    assert set(operation["requestBody"]["content"]) == {
        "image/*",
        "application/octet-stream",
        "multipart/form-data",
        "application/json",
    }
    parameters = {(item["in"], item["name"].lower()) for item in operation["parameters"]}
    assert parameters == {
        ("query", "model"),
        ("query", "version"),
        ("query", "top_k"),
        ("query", "min_score"),
        ("query", "include"),
        ("query", "coverage"),
        ("query", "priority"),
        ("header", "x-request-timeout-ms"),
    }
    assert set(operation["responses"]) == {
        "200", "400", "401", "403", "404", "408", "413", "415", "422", "429", "500", "503", "504",
    }  # fmt: skip
    for status, response in operation["responses"].items():
        expected = "application/json" if status == "200" else "application/problem+json"
        assert list(response["content"]) == [expected]
    assert {"/livez", "/readyz", "/startupz", "/metrics", "/models"} < set(document["paths"])


def test_behind_a_prefix_the_documentation_finds_its_files(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(root_path="/senet")
    with running(settings, FakeEngines()) as live, live.client() as client:
        page = client.get("/docs").text
        assert "/senet/openapi.json" in page
        assert client.get("/readyz").status_code == 200


def test_metrics_count_what_happened(make_settings: Callable[..., Settings]) -> None:
    with running(make_settings(), FakeEngines()) as live, live.client() as client:
        post_json(client, [("a", PICTURE), ("b", PICTURE), ("c", truncated_jpeg())])
        post_image(client, b"text")
        post_image(client, PICTURE, params={"top_k": 0})
        client.get("/nowhere")

        def requests(route: str, status: str) -> float:
            return value(client, "senet_requests_total", route=route, status=status)

        assert requests("/classify", "200") == 1
        assert requests("/classify", "415") == 1
        assert requests("/classify", "422") == 1
        assert requests("unmatched", "404") == 1
        assert value(client, "senet_request_duration_seconds_count", route="/classify") == 3

        def images(outcome: str) -> float:
            return value(client, "senet_images_total", outcome=outcome, **MODEL)

        assert images("ok") == 2
        assert images("invalid_image") == 1
        assert images("unsupported_image_format") == 1
        assert value(client, "senet_decode_seconds_count", **MODEL) == 2
        assert value(client, "senet_queue_seconds_count", **MODEL) == 2
        assert value(client, "senet_batch_size_sum", **MODEL) == 2
        batches = value(client, "senet_batch_size_count", **MODEL)
        assert value(client, "senet_inference_seconds_count", **MODEL) == batches
        assert value(client, "senet_queue_depth", **MODEL) == 0
        assert value(client, "senet_images_in_flight") == 0
        assert value(client, "senet_ready") == 1
        assert value(client, "process_resident_memory_bytes") > 0
        assert value(client, "senet_model_memory_bytes", **MODEL) > 0
        assert value(client, "senet_top1_score_count", **MODEL) == 2
        assert value(client, "senet_predictions_total", label="colour 0", **MODEL) == 2
        digest = client.get("/models").json()["models"][0]["digest"]
        info = {"name": "colours", "version": "1", "precision": "fp32", "provider": "cpu"}
        assert value(client, "senet_model_info", digest=digest, **info) == 1


def test_the_gpu_is_read_where_one_serves(
    make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    engines = FakeEngines(FakeEngine(provider="cuda"), providers=("cuda",))
    with caplog.at_level(logging.WARNING), running(make_settings(), engines):
        pass  # its end waits for the thread that reads
    # There is no card here, or nothing that tells of it.
    assert [message[:21] for message in caplog.messages] == ["no metrics of the GPU"]


def test_no_label_of_a_metric_comes_from_a_client(client: httpx.Client) -> None:
    word = "chosen-by-the-client"
    client.get(f"/{word}")
    client.request(word.upper().replace("-", ""), "/classify")
    post_image(client, PICTURE, params={"model": word, "version": word, "priority": word})
    post_image(client, PICTURE, headers={"x-request-id": word, "user-agent": word})
    post_json(client, [(word, PICTURE)])
    seen = {text for _, labels in samples(client) for _, text in labels}
    assert not [text for text in seen if word in text.lower()]


def test_services_in_one_process_count_apart(make_settings: Callable[..., Settings]) -> None:
    with (
        running(make_settings(), FakeEngines(FakeEngine())) as one,
        running(make_settings(), FakeEngines(FakeEngine())) as two,
        one.client() as first,
        two.client() as second,
    ):
        post_image(first, PICTURE)
        assert value(first, "senet_images_total", outcome="ok", **MODEL) == 1
        assert value(second, "senet_images_total", outcome="ok", **MODEL) == 0


def test_a_head_request_is_a_problem_without_a_body(client: httpx.Client) -> None:
    response = client.head("/livez")
    assert response.status_code in (200, 405)
    assert response.content == b""
    assert_problem(client.delete("/models"), 405, "method_not_allowed")


def test_metrics_come_as_openmetrics_and_compressed_where_that_is_asked_for(
    client: httpx.Client,
) -> None:
    post_image(client, PICTURE)
    plain = client.get("/metrics", headers={"accept-encoding": "identity"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "content-encoding" not in plain.headers
    accepted = {"accept": "application/openmetrics-text", "accept-encoding": "gzip"}
    shown = client.get("/metrics", headers=accepted)
    assert shown.headers["content-encoding"] == "gzip"
    assert shown.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = read_openmetrics(shown.text)
    assert "senet_request_duration_seconds" in {family.name for family in families}
    for text in (plain.text, shown.text):
        assert "_created" not in text


@pytest.fixture
def closed(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> Iterator[tuple[httpx.Client, str]]:
    """A client without a key of a service whose operations want one, and such a key."""
    key = add_key(tmp_path / "keys.json", "operator", ["classify"])
    settings = make_settings(api_keys_file=tmp_path / "keys.json", open_operations=False)
    with running(settings, FakeEngines()) as live, live.client() as client:
        yield client, key


def test_probes_are_open_where_all_else_is_closed(closed: tuple[httpx.Client, str]) -> None:
    client, _ = closed
    for path in ("/livez", "/readyz", "/startupz"):
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/models", "/openapi.json"])
def test_what_tells_of_the_service_wants_a_key_where_it_is_closed(
    closed: tuple[httpx.Client, str], path: str
) -> None:
    client, key = closed
    assert_problem(client.get(path), 401, "unauthenticated")
    assert client.head(path).status_code == 401
    assert client.get(path, headers={"x-api-key": key}).status_code == 200


def test_a_page_that_can_send_a_key_is_there_where_it_is_closed(
    closed: tuple[httpx.Client, str],
) -> None:
    client, _ = closed
    assert client.get("/").status_code == 200
    assert client.get("/demo/about.json").json()["docs"] is False


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/static-offline-docs/swagger-ui.css"])
def test_pages_that_cannot_send_a_key_are_not_there_where_it_is_closed(
    closed: tuple[httpx.Client, str], path: str
) -> None:
    client, key = closed
    assert client.get(path, headers={"x-api-key": key}).status_code == 404
