"""A real Prometheus scrapes the service; nothing that is asked of it comes back empty."""

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import app.transport.http.composition
from app.engines.onnx_engine import OnnxEngines
from app.settings import Settings
from tests.deploy.expressions import expressions, rules, series
from tests.deploy.files import DEPLOY
from tests.deploy.prometheus import Prometheus, scraping
from tests.support.colours import COLOURS, colour_outputs
from tests.support.engines import FakeEngine, FakeEngines
from tests.support.http import RawConnection, post_image
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.repository import ManifestDict, write_model
from tests.support.server import running
from tests.support.trusted import with_reference
from tests.support.waiting import eventually

PICTURES = [encode(photo(colour)) for colour in COLOURS]
# The simulated engine's time per batch: long beside what a client itself needs on a busy machine.
INFERENCE_SECONDS = 0.1
TURNS = 6
# The machine of the test has neither a GPU nor a quota.
OF_OTHER_MACHINES = ("senet_gpu_", "senet_cgroup_cpu_throttled_", "senet_cgroup_cpu_periods_")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("models")
    write_model(root, change=watched)
    return Settings(model_repository=root, model="colours", max_batch_size=2)


def watched(manifest: ManifestDict) -> None:
    """Makes a manifest one that has all that is observed of a model."""
    with_reference(manifest)
    manifest["calibration"] = {
        "temperature": 1, "ece_before": 0.1, "ece_after": 0.01, "dataset": "drawn",
    }  # fmt: skip


@pytest.fixture(scope="module")
def loaded(
    settings: Settings,
    tool: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    """Prometheus on a service that has had a short load."""
    with pytest.MonkeyPatch.context() as patch:
        # A container's limit, which the machine of the test need not have.
        patch.setattr(app.transport.http.composition, "memory_limit_bytes", lambda: 2**40)
        engines = OnnxEngines("cpu")
        with running(settings, engines) as live, live.client() as client:
            folder = tmp_path_factory.mktemp("prometheus")
            target = f"127.0.0.1:{live.port}"
            with scraping(target, folder, tool("prometheus")) as prometheus:
                with RawConnection(live.port) as connection:
                    connection.send(b"no HTTP at all\r\n\r\n")
                    assert connection.read_to_end().startswith(b"HTTP/1.1 400 ")
                # The first load makes the series, the second lets them grow between two scrapes.
                for done in (40, 80):
                    for number in range(40):
                        post_image(client, PICTURES[number % len(PICTURES)])
                    post_image(client, truncated_jpeg())
                    eventually(partial(has_counted, prometheus, done))
                yield prometheus


def has_counted(prometheus: Prometheus, images: int) -> bool:
    return prometheus.value('sum(senet_images_total{outcome="ok"})') == images


def test_every_series_is_scraped(loaded: Prometheus) -> None:
    assert len(series()) > 20
    # No version is tried beside the one that answers, nobody labels or records, and no GPU serves.
    absent = {"senet_shadow_images_total", "senet_records_total"} | {
        name for name in series() if name.startswith(("senet_feedback_", "senet_gpu_"))
    }
    assert {name for name in series() if not loaded.query(name)} == absent


def test_every_expression_of_rules_and_dashboard_gives_data(loaded: Prometheus) -> None:
    def empty() -> list[str]:
        return [
            name
            for name, text in expressions().items()
            if not has_data(loaded, text) and not any(part in text for part in OF_OTHER_MACHINES)
        ]

    # Some build on recorded series, which have to be recorded twice.
    with contextlib.suppress(AssertionError):  # the names tell more
        eventually(lambda: not empty())
    assert empty() == []


def test_an_expression_of_a_series_that_does_not_exist_counts_as_empty(loaded: Prometheus) -> None:
    assert not has_data(loaded, "rate(senet_no_such_series[1m])")


def has_data(prometheus: Prometheus, expression: str) -> bool:
    """Whether there is a sample that is a number."""
    return any(sample["value"][1] != "NaN" for sample in prometheus.query(expression))


def test_a_healthy_service_fires_no_alert(loaded: Prometheus) -> None:
    assert len({rule["alert"] for rule in rules() if "alert" in rule}) == 16
    assert loaded.query('ALERTS{alertstate="firing"}') == []


def slow(images: NDArray[np.uint8], outputs: Collection[str]) -> dict[str, NDArray[np.float32]]:
    time.sleep(INFERENCE_SECONDS)
    return dict(colour_outputs(images, outputs))


def test_the_autoscalers_query_is_the_wait_that_clients_measure(
    settings: Settings, tool: Callable[[str], str], tmp_path: Path
) -> None:
    engine = FakeEngine()
    engine.respond = slow
    waits: list[float] = []

    with running(settings, FakeEngines(engine)) as live:

        def ask(number: int) -> None:
            with live.client() as client:
                for turn in range(TURNS):
                    began = time.perf_counter()
                    response = post_image(client, PICTURES[(number + turn) % len(PICTURES)])
                    took = time.perf_counter() - began
                    # What is neither decoding nor inference was waiting.
                    waits.append(took - stage(response.headers["server-timing"]))

        target = f"127.0.0.1:{live.port}"
        with scraping(target, tmp_path, tool("prometheus")) as prometheus:
            eventually(lambda: counted_waits(prometheus) == 0)
            with ThreadPoolExecutor(12) as threads:
                list(threads.map(ask, range(12)))
            eventually(lambda: counted_waits(prometheus) == len(waits))
            [query] = [
                rule["expr"]
                for rule in rules()
                if rule.get("record") == "senet:interactive_queue_seconds:p90_rate1m"
            ]
            measured = prometheus.value(query)
    assert len(waits) == 12 * TURNS
    assert measured is not None
    # A histogram tells a quantile to within a bucket, and the buckets' bounds are up to 2.5 apart.
    assert 1 / 2.5 < measured / np.quantile(waits, 0.9) < 2.5
    # And not by accident: six batches of two stand before whoever comes last.
    assert measured > 2 * INFERENCE_SECONDS


def counted_waits(prometheus: Prometheus) -> float | None:
    return prometheus.value("sum(senet_queue_seconds_count)")


def stage(server_timing: str) -> float:
    """Decoding and inference, in seconds."""
    found = dict(re.findall(r"(\w+);dur=([\d.]+)", server_timing))
    return (float(found["decode"]) + float(found["inference"])) / 1000


def test_the_rules_hold_what_their_unit_tests_say(tool: Callable[[str], str]) -> None:
    folder = DEPLOY / "prometheus"
    run(tool("promtool"), "check", "rules", str(folder / "rules" / "senet.yml"))
    run(tool("promtool"), "test", "rules", *map(str, folder.glob("*_test.yml")))


def test_every_alert_has_a_unit_test() -> None:
    tests = "".join(file.read_text() for file in (DEPLOY / "prometheus").glob("*_test.yml"))
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert set(re.findall(r"alertname: (\w+)\n", tests)) == alerts


def test_the_configurations_are_valid(tool: Callable[[str], str], tmp_path: Path) -> None:
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    file = tmp_path / "prometheus.yml"
    # Where the container has them, the machine of the test has not.
    file.write_text(text.replace("/etc/prometheus/", f"{DEPLOY / 'prometheus'}/"))
    run(tool("promtool"), "check", "config", str(file))
    run(tool("amtool"), "check-config", str(DEPLOY / "alertmanager" / "alertmanager.yml"))


def run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
