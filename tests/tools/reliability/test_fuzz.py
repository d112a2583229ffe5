"""Random bodies of all three forms get a success or a documented problem."""

import httpx
import pytest

from tests.support.server import LiveServer
from tools.reliability.fuzz import Body, fuzz


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on broken metadata
def test_random_bodies(server: LiveServer, client: httpx.Client) -> None:
    def send(body: Body) -> tuple[int, bytes]:
        response = client.post("/classify", content=body[1], headers={"content-type": body[0]})
        return response.status_code, response.content

    endings = fuzz(send, 150, repeat=True)
    assert {"200", "400 malformed_request", "422 invalid_image"} <= set(endings)
    assert server.failures == []
    assert client.get("/readyz").status_code == 200
