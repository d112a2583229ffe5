"""What `model_repository` may say."""

from pathlib import Path

import pytest

from app.contract.errors import ConfigurationError
from app.remote.location import parse_location
from app.settings import load_settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models", Path("models")),
        ("/srv/models", Path("/srv/models")),
        ("s3:/models", Path("s3:/models")),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("S3://bucket/models/of/mine/", "s3://bucket/models/of/mine"),
        ("gs://bucket/models", "gs://bucket/models"),
        ("az://container/models", "az://container/models"),
        ("https://host:8443/models", "https://host:8443/models"),
        ("https://[::1]:8443/models", "https://[::1]:8443/models"),
        ("http://host/models", "http://host/models"),
    ],
)
def test_a_folder_or_a_uri(text: str, expected: Path | str) -> None:
    assert parse_location(text) == expected
    assert load_settings(["--model-repository", text]).model_repository == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ftp://host/models", "begins with s3://"),
        ("file:///srv/models", "give a folder, or a URI"),
        ("s3://", "name the bucket"),
        ("s3:///models", "name the bucket"),
        ("https://", "name the bucket or the host"),
        ("https://user:secret@host/models", "own variables"),
        ("s3://key:secret@bucket/models", "own variables"),
        ("https://host/models?token=1", "without spaces, query"),
        ("https://host/models#1", "without spaces, query"),
        ("s3://bucket/../other", "'.' and '..'"),
        ("s3://bucket//models", "empty folders"),
        ("s3://bucket/my models", "without spaces"),
        ("s3://bucket/models\n", "without spaces"),
        ("s3://bucket\\models", "without spaces"),
        ("s3://{bucket}", "without spaces"),
    ],
)
def test_a_uri_that_cannot_be(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(["--model-repository", text])
    assert raised.value.option == "model_repository"
    assert told in raised.value.remedy
    assert "SENET_MODEL_REPOSITORY" in raised.value.remedy
    assert "secret" not in str(raised.value)


def test_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENET_MODEL_REPOSITORY", "s3://bucket/models/")
    assert load_settings([]).model_repository == "s3://bucket/models"
