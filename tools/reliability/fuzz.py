"""`python -m tools.reliability.fuzz`: random bytes, multipart and JSON against the real service.

Whatever is sent, the answer is a success or one of the problems that the API documents, never a
fault of ours.
"""

import argparse
import base64
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from http.client import HTTPConnection

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.loadtools.command import run
from tools.loadtools.process import service
from tools.reliability.corpus import corpus
from tools.reliability.corpus.pictures import FORMATS, encode, picture

Body = tuple[str, bytes]
"""A content type and a request body."""

_PROMISED = {200, 400, 413, 415, 422}
_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x24\x00\x00\x00WEBP", b"GIF89a", b"BM",
    b"II*\x00\x08\x00\x00\x00", b"MM\x00*\x00\x00\x00\x08", b"\x00\x00\x00\x20ftypavif",
)  # fmt: skip


def image_bytes(originals: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes that may pass for an image: noise after a signature, or a picture that was edited."""

    @st.composite
    def edited(draw: st.DrawFn) -> bytes:
        data = bytearray(originals[draw(st.integers(0, len(originals) - 1))])
        for _ in range(draw(st.integers(0, 6))):
            at = draw(st.integers(0, max(0, len(data) - 1)))
            match draw(st.sampled_from(("overwrite", "insert", "delete", "repeat"))):
                case "overwrite":
                    data[at : at + 4] = draw(st.binary(min_size=1, max_size=4))
                case "insert":
                    data[at:at] = draw(st.binary(min_size=1, max_size=16))
                case "delete":
                    del data[at : at + draw(st.integers(1, 64))]
                case _:
                    data[at:at] = data[at : at + draw(st.integers(1, 64))]
        return bytes(data)

    noise = st.builds(bytes.__add__, st.sampled_from(_STARTS), st.binary(max_size=300))
    return st.one_of(st.binary(max_size=100), noise, edited())


def raw_bodies(images: st.SearchStrategy[bytes]) -> st.SearchStrategy[Body]:
    """Raw bodies under all kinds of content types."""
    kinds = st.sampled_from(("image/png", "image/x-any", "application/octet-stream", "text/plain"))
    return st.tuples(kinds, images)


def multipart_bodies(images: st.SearchStrategy[bytes]) -> st.SearchStrategy[Body]:
    """Multipart of images, odd headers, and boundaries in wrong places."""
    header = st.sampled_from((
        b'Content-Disposition: form-data; name="a"; filename="b.png"\r\n',
        b"Content-Disposition: form-data\r\n", b"", b"X: \r\n", b"no colon\r\n", b": \r\n",
        b'content-disposition: form-data; filename="\xff\x00"\r\n',
    ))  # fmt: skip
    part = st.builds(
        lambda head, data: b"--b\r\n" + head + b"\r\n" + data + b"\r\n", header, images
    )
    junk = st.one_of(
        st.sampled_from((b"--b--\r\n", b"\r\n--b", b"--", b"\r\n")), st.binary(max_size=20)
    )
    body = st.lists(st.one_of(part, part, junk), max_size=5).map(b"".join)
    kinds = st.sampled_from(("multipart/form-data; boundary=b", "multipart/form-data"))
    return st.tuples(kinds, body.map(lambda data: data + b"--b--\r\n"))


def json_bodies(images: st.SearchStrategy[bytes]) -> st.SearchStrategy[Body]:
    """JSON of the right shape, of other shapes, and text that is none."""
    encoded = images.map(lambda data: base64.b64encode(data).decode())
    text = st.one_of(encoded, encoded.map("data:image/png;base64,".__add__), st.text(max_size=20))
    scalar = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text)
    item = st.fixed_dictionaries({"data": text}, optional={"name": scalar, "more": scalar})
    images_value = st.lists(st.one_of(item, item, scalar), max_size=4)
    anything = st.recursive(
        scalar, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner)
    )
    shaped = st.fixed_dictionaries({"images": st.one_of(images_value, anything)})
    # json.dumps also writes NaN and lone surrogates, which are not JSON for everybody.
    documents = st.one_of(shaped, anything).map(lambda value: json.dumps(value).encode())
    broken = st.builds(lambda data, cut: data[:cut], documents, st.integers(0, 200))
    return st.tuples(st.just("application/json"), st.one_of(documents, broken))


def bodies() -> st.SearchStrategy[Body]:
    """All three request forms."""
    originals = [encode(picture(20, 16), name) for name in FORMATS]
    hostile = [
        case.data
        for case in corpus(bomb_bytes=2_000, flips=0, many_pixels=False)
        if case.name.startswith(("EXIF/", "ICC", "many pieces/")) and len(case.data) < 8_000
    ]
    images = image_bytes(originals + hostile)
    return st.one_of(raw_bodies(images), multipart_bodies(images), json_bodies(images))


def fuzz(send: Callable[[Body], tuple[int, bytes]], examples: int, *, repeat: bool) -> Counter[str]:
    """Tries so many bodies.

    Args:
        send: posts a body to `/classify`; returns status and answer.
        examples: how many.
        repeat: whether each run tries the same ones.

    Returns:
        How often each ending came.

    Raises:
        AssertionError: at an answer that was not promised, with the smallest body that gets it.
    """
    endings: Counter[str] = Counter()

    @settings(
        max_examples=examples, derandomize=repeat, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(bodies())
    def attempt(body: Body) -> None:
        status, answer = send(body)
        if status not in _PROMISED:
            raise AssertionError(f"status {status}: {answer[:300]!r}")
        endings[_ending(status, answer)] += 1

    attempt()
    return endings


def _ending(status: int, answer: bytes) -> str:
    parsed = json.loads(answer)
    return f"{status} {parsed['code']}" if status != 200 else "200"


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m tools.reliability.fuzz", description=__doc__)
    parser.add_argument("--port", type=int, default=8097)
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("service", nargs="*", help="options of the service, after --")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module=r"PIL\.")
    with service(["--log-level", "error", *options.service], port=options.port, tells=True):
        connection = HTTPConnection("127.0.0.1", options.port, timeout=60)

        def send(body: Body) -> tuple[int, bytes]:
            connection.request("POST", "/classify", body[1], {"content-type": body[0]})
            response = connection.getresponse()
            return response.status, response.read()

        for ending, count in sorted(fuzz(send, options.examples, repeat=False).items()):
            print(f"{ending:32} {count:8}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
