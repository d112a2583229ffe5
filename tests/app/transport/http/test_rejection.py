"""Photos that are unlike those of the export are told as such."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.contract.errors import ConfigurationError
from app.contract.repository import ModelRepository
from app.settings import Settings
from tests.support.colours import COLOURS
from tests.support.engines import FakeEngines
from tests.support.http import post_image, post_json, post_multipart
from tests.support.images import encode, photo, truncated_jpeg
from tests.support.repository import ManifestDict, write_model
from tests.support.server import running
from tests.support.trusted import with_reject, with_sets

KNOWN = encode(photo(COLOURS[9]))
UNKNOWN = encode(photo(COLOURS[54]))
REASON = {"rejected": True, "reason": "unlike the training photos"}

Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(make_settings: Callable[..., Settings], tmp_path: Path) -> Iterator[Serve]:
    """Starts a service with a changed manifest."""
    with ExitStack() as stack:

        def start(change: Callable[[ManifestDict], None]) -> httpx.Client:
            write_model(tmp_path, change=change)
            settings = make_settings(model_repository=tmp_path)
            live = stack.enter_context(running(settings, FakeEngines()))
            return stack.enter_context(live.client())

        yield start


def told(response: httpx.Response) -> list[bool]:
    """Whether each image was rejected, as the answer says it."""
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    for result in results:
        own = {key: value for key, value in result.items() if key in REASON}
        assert own in ({}, REASON)
    return ["rejected" in result for result in results]


def test_a_photo_unlike_those_of_the_export_is_rejected_and_still_classified(serve: Serve) -> None:
    client = serve(with_reject)
    assert told(post_image(client, KNOWN)) == [False]
    response = post_image(client, UNKNOWN, params={"top_k": 3})
    assert told(response) == [True]
    assert len(response.json()["results"][0]["predictions"]) == 3


@pytest.mark.parametrize("post", [post_multipart, post_json])
def test_each_image_of_several_is_judged_on_its_own(
    serve: Serve, post: Callable[..., httpx.Response]
) -> None:
    client = serve(with_reject)
    response = post(client, [("a", KNOWN), ("b", truncated_jpeg()), ("c", UNKNOWN), ("d", KNOWN)])
    assert told(response) == [False, False, True, False]
    assert "error" in response.json()["results"][1]


def test_a_photo_without_contrast_is_rejected(serve: Serve) -> None:
    client = serve(partial(with_reject, least_contrast=200.0))
    assert told(post_image(client, KNOWN)) == [True]


def test_a_set_and_a_rejection_go_together(serve: Serve) -> None:
    def change(manifest: ManifestDict) -> None:
        with_sets(manifest)
        with_reject(manifest)

    response = post_image(serve(change), UNKNOWN, params={"coverage": 0.9})
    assert told(response) == [True]
    assert "prediction_set" in response.json()["results"][0]


def test_a_model_without_a_threshold_rejects_nothing(serve: Serve) -> None:
    client = serve(lambda manifest: None)
    assert told(post_image(client, UNKNOWN)) == [False]


def test_what_is_fitted_to_another_embedding_keeps_the_model_from_being_served(
    tmp_path: Path,
) -> None:
    write_model(tmp_path, change=partial(with_reject, mean=[0.0, 0.0], directions=[]))
    with pytest.raises(ConfigurationError, match="and the embedding of signature"):
        ModelRepository(tmp_path).find("colours", 1)
