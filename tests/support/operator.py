"""Whoever may change what a service has loaded."""

from typing import Any

import httpx

from tests.support.http import post_image
from tests.support.waiting import eventually


class Operator:
    """Asks a service for changes, with a key of the scope `admin`.

    Attributes:
        client: sends that key.
    """

    def __init__(self, client: httpx.Client, key: str) -> None:
        self.client = client
        client.headers["x-api-key"] = key

    def load(self, model: str, version: int | str) -> httpx.Response:
        return self.client.post(f"/models/{model}/versions/{version}:load")

    def unload(self, model: str, version: int | str) -> httpx.Response:
        return self.client.post(f"/models/{model}/versions/{version}:unload")

    def label(self, model: str, label: str, version: object) -> httpx.Response:
        return self.client.put(f"/models/{model}/labels/{label}", json={"version": version})

    def split(self, model: str, weights: object) -> httpx.Response:
        return self.client.put(f"/models/{model}/split", json=weights)

    def shadow(self, model: str, version: int | str, share: object) -> httpx.Response:
        body = {"version": version, "share": share}
        return self.client.put(f"/models/{model}/shadow", json=body)

    def status(self, model: str) -> dict[str, Any]:
        """What the service tells of a model."""
        response = self.client.get(f"/models/{model}")
        assert response.status_code == 200, response.text
        status: dict[str, Any] = response.json()
        return status

    def versions(self, model: str) -> dict[str, str]:
        """The state of each version."""
        return {body["version"]: body["state"] for body in self.status(model)["versions"]}

    def finished(self, response: httpx.Response) -> dict[str, Any]:
        """The job that an answer tells of, once it is over."""
        assert response.status_code == 202, response.text
        model, number = response.request.url.path.split("/")[2], response.json()["job"]["id"]

        def job() -> dict[str, Any]:
            jobs: list[dict[str, Any]] = self.status(model)["jobs"]
            return next(job for job in jobs if job["id"] == number)

        eventually(lambda: job()["state"] != "running")
        return job()

    def done(self, response: httpx.Response) -> None:
        """The same, which must have succeeded."""
        job = self.finished(response)
        assert job["state"] == "done", job

    def classify(self, data: bytes, **params: str) -> httpx.Response:
        return post_image(self.client, data, params=params)

    def answered_by(self, data: bytes, **params: str) -> str:
        """Which version answers, as `name:version`."""
        response = self.classify(data, **params)
        assert response.status_code == 200, response.text
        model = response.json()["model"]
        return f"{model['name']}:{model['version']}"
