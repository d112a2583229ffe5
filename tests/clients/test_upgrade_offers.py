"""Real clients that offer HTTP/2 in clear text, directly and through real proxies."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.clients.proxies import haproxy, nginx
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.images import encode, photo
from tests.support.server import running

pytestmark = pytest.mark.slow

_JAVA = Path(__file__).with_name("Classify.java")
_PROXIES = {"nginx": nginx, "haproxy": haproxy}
_SECONDS = 120


@pytest.fixture(params=["directly", "nginx", "haproxy"])
def url(
    request: pytest.FixtureRequest,
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    free_port: int,
) -> Iterator[str]:
    """The service, as a client finds it."""
    with running(make_settings(), FakeEngines()) as live:
        if request.param == "directly":
            yield live.url
        else:
            with _PROXIES[request.param](tmp_path, free_port, live.port):
                yield f"http://127.0.0.1:{free_port}"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    file.write_bytes(encode(photo(COLOURS[1], (256, 200))))
    return file


def output_of(*command: str | Path) -> list[str]:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_the_client_of_the_jdk(url: str, picture: Path) -> None:
    assert output_of("java", _JAVA, f"{url}/", picture) == ["200"] * 21


@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_curl_with_http2(url: str, picture: Path, framing: str) -> None:
    each = ["--silent", "--show-error", "--http2", "--header", "content-type: image/png"]
    if framing == "chunked":
        each += ["--header", "transfer-encoding: chunked"]
    each += ["--output", "/dev/null", "--write-out", "%{http_code} over %{http_version}\\n"]
    each += ["--data-binary", f"@{picture}", f"{url}/classify"]
    # The second one goes over the connection of the first.
    assert output_of("curl", *each, "--next", *each) == ["200 over 1.1"] * 2
