"""The fake that users have for their tests behaves as the service does."""

import numpy as np
import pytest

from senet_client import Classification, Retries, errors
from senet_client.testing import FakeService


def test_the_same_image_gets_the_same_answer() -> None:
    fake = FakeService(["cat", "dog"])
    with fake.client() as client:
        first, again = client.classify(b"photo"), client.classify(b"photo")
        assert first.predictions == again.predictions
        assert sum(found.score for found in first.predictions) == pytest.approx(1)
        assert client.ready()
        [model] = client.models()
        assert model.labels == 2
        assert first.model.digest == model.digest


def test_answers_are_as_the_test_has_them() -> None:
    fake = FakeService(["cat", "dog", "bird"])
    fake.answers = {b"a": "bird", b"b": "invalid_image"}
    with fake.client() as client:
        good, bad = client.classify_many([b"a", b"b"], top_k=2, include=["embedding", "cam"])
        assert isinstance(good, Classification)
        assert [found.label for found in good.predictions] == ["bird", "cat"]
        assert isinstance(good.embedding, np.ndarray)
        assert good.predictions[0].cam is not None
        assert isinstance(bad, errors.InvalidImage)
        with pytest.raises(errors.InvalidImage):
            client.classify(b"b")
        assert client.classify(b"a", min_score=0.5).predictions[0].rank == 1
    assert fake.seen == [[b"a", b"b"], [b"b"], [b"a"]]


async def test_failures_come_as_in_production() -> None:
    fake = FakeService()
    async with fake.async_client(retries=Retries(attempts=3)) as client:
        fake.failures.extend(["overloaded", "connection_failed"])
        assert (await client.classify(b"x")).attempts == 3
        fake.failures.append("unauthenticated")
        with pytest.raises(errors.Unauthenticated):
            await client.classify(b"x")
        fake.failures.append("inference_failed")
        with pytest.raises(errors.InferenceFailed):
            await client.classify(b"x")
