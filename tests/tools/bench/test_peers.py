"""Peers do to a photo what the service does, however they are set up."""

import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.contract.errors import ConfigurationError
from app.contract.preprocess import preprocess
from tests.support.colours import COLOURS
from tests.support.images import encode, photo
from tools.bench import peers
from tools.bench.peer import MAX_PIXELS, Decoder, Model, Setting
from tools.bench.plain_server import create_app
from tools.bench.subject import Subject, find

PICTURE = encode(photo(COLOURS[2]), "JPEG")


@pytest.fixture
def subject(repository: Path, tmp_path: Path) -> Subject:
    return Subject(*find("colours", [repository]), "fp32", "cpu", mosec=tmp_path / "python")


@pytest.fixture
def setting(subject: Subject) -> Setting:
    folder = str(subject.version.folder)
    return Setting("one", 1, 1, pool=1, folder=folder, file="model.fp32.onnx")


def test_a_setting_reaches_the_processes_of_a_peer(setting: Setting) -> None:
    assert Setting.of(setting.environment()) == setting


def test_pixels_are_those_of_the_service(subject: Subject, setting: Setting) -> None:
    own = subject.version.manifest.preprocessing
    assert np.array_equal(
        Decoder(setting)(PICTURE), preprocess(PICTURE, own, max_pixels=MAX_PIXELS)
    )


def test_each_image_of_a_batch_gets_its_labels(setting: Setting) -> None:
    decode, infer = Decoder(setting), Model(setting)

    answers = infer([decode(encode(photo(COLOURS[index]), "PNG")) for index in (2, 7)])

    assert [labels[0]["label"] for labels in answers] == ["colour 2", "colour 7"]


async def test_the_plain_server_classifies_both_forms(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in setting.environment().items():
        monkeypatch.setenv(name, value)

    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://plain") as client:
        one = await client.post("/classify", content=PICTURE)
        two = await client.post("/upload", files=[("files", PICTURE), ("files", PICTURE)])

    [result] = one.json()["results"]
    assert result[0]["score"] > result[-1]["score"]
    labels = [[each["label"] for each in answer] for answer in two.json()["results"]]
    assert labels == [[each["label"] for each in result]] * 2


def test_every_peer_has_settings_of_its_own(subject: Subject) -> None:
    found = peers.settings(subject)

    names = {peer: {one.name for one in settings} for peer, settings in found.items()}
    assert {peer: len(own) for peer, own in names.items()} == {peers.PLAIN: 3, peers.MOSEC: 4}


@pytest.mark.parametrize("python", [Path("/nowhere"), Path(sys.executable)])
def test_an_environment_without_mosec_is_refused_with_the_remedy(python: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no mosec; make bench installs it") as raised:
        peers.mosec_version(python)
    assert raised.value.option == "--mosec"


def test_mosec_answers_at_a_path_of_its_own(subject: Subject, setting: Setting) -> None:
    assert peers.start(peers.MOSEC, subject, setting).path == "/inference"
    assert peers.start(peers.PLAIN, subject, setting).path == "/classify"
