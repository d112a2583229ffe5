"""A real Prometheus with the repository's own configuration, made to look at a test's service."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.deploy.files import DEPLOY
from tests.support.waiting import eventually

_INTERVAL = "500ms"


class Prometheus:
    """A running server, asked over its HTTP API.

    Args:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=10)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query now."""
        answer = self._client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def value(self, expression: str) -> float | None:
        """The one value of an expression; None if there is no sample."""
        samples = self.query(expression)
        assert len(samples) <= 1, samples
        return float(samples[0]["value"][1]) if samples else None

    def close(self) -> None:
        self._client.close()

    def is_ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def scraping(target: str, folder: Path, program: str) -> Iterator[Prometheus]:
    """Runs Prometheus on the service at `target` for the length of a `with` block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": _INTERVAL, "evaluation_interval": _INTERVAL}
    config["global"]["scrape_timeout"] = _INTERVAL
    config["rule_files"] = [str(DEPLOY / "prometheus" / "rules" / "*.yml")]
    del config["alerting"]
    [job] = [job for job in config["scrape_configs"] if job["job_name"] == "senet-serving"]
    job["static_configs"] = [{"targets": [target]}]
    del job["dns_sd_configs"]
    config["scrape_configs"] = [job]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    try:
        eventually(lambda: process.poll() is not None or prometheus.is_ready())
        assert process.poll() is None, (folder / "log").read_text()
        yield prometheus
    finally:
        prometheus.close()
        process.kill()
        process.wait()
