"""The client before the service itself; skipped where there is no service to start."""

import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from senet_client import AsyncClient, Classification, Client, errors
from senet_client.score.ending import Exit
from senet_client.score.job import JobOptions, run_job
from tests.real_service import draw, needs_service, serving
from tests.score.conftest import read_rows

pytestmark = needs_service


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as found:
        yield found


def test_one_image(url: str) -> None:
    with Client(url) as client:
        assert client.ready()
        (model,) = client.models()
        answer = client.classify(draw(1), top_k=3, include=["embedding", "cam", "excitations"])

    assert answer.model.digest == model.digest
    assert len(answer.predictions) == 3
    assert answer.embedding is not None
    assert answer.embedding.dtype == np.float32
    cam = answer.predictions[0].cam
    assert cam is not None
    assert cam.ndim == 2
    assert answer.excitations is not None
    assert [len(answer.excitations[block]) for block in ("layer1.0", "layer4.1")] == [32, 256]


async def test_what_is_usual_for_the_gates_of_a_class(url: str) -> None:
    with Client(url) as client:
        gates = client.class_gates("imagenette", 1, 0)
    async with AsyncClient(url) as client_too:
        assert await client_too.class_gates("imagenette", "1", 0) == gates
    assert gates.label == "tench"
    assert gates.photos > 0
    assert [len(gates.blocks[block].mean) for block in ("layer1.0", "layer4.1")] == [32, 256]
    assert len(gates.blocks["layer4.1"].spread) == 256


def test_a_pillow_image_gets_the_same_answer_as_its_file(url: str, tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(BytesIO(draw(3))) as image:
        image.save(path, exif=exif)
    with Client(url) as client, Image.open(path) as image:
        assert client.classify(image).predictions == client.classify(path).predictions


async def test_many_images_equal_one_by_one(url: str) -> None:
    images = [draw(number) for number in range(20)]
    images[4] = b"\xff\xd8\xff but no JPEG"
    with Client(url, images_per_request=6) as client:
        together = list(client.classify_many(images))
        alone = [client.classify(image) for image in images if image != images[4]]
    async with AsyncClient(url, images_per_request=6) as client:
        asynchronous = [result async for result in client.classify_many(images)]

    for results in (together, asynchronous):
        assert isinstance(results.pop(4), errors.InvalidImage)
        for one, other in zip(results, alone, strict=True):
            assert isinstance(one, Classification)
            assert one.predictions[0].class_index == other.predictions[0].class_index
            assert one.predictions[0].score == pytest.approx(other.predictions[0].score, abs=1e-4)


def test_errors_of_the_service(url: str) -> None:
    with Client(url) as client:
        with pytest.raises(errors.UnsupportedImageFormat):
            client.classify(b"text")
        with pytest.raises(errors.ModelNotFound):
            client.classify(draw(0), model="another")
        with pytest.raises(errors.InvalidParameter):
            client.classify(draw(0), min_score=2)
        with pytest.raises(errors.TooManyImages):
            client.classify_batch([draw(0)] * 65)


def test_scoring(url: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(70):
        (photos / f"{number:03}.jpg").write_bytes(draw(number))
    (photos / "070.jpg").write_bytes(b"text")
    options = JobOptions(
        inputs=(str(photos),),
        output=str(tmp_path / "out.parquet"),
        url=url,
        rows_per_part=32,
        progress="none",
    )

    assert run_job(options, []) is Exit.PARTIAL

    rows = read_rows(tmp_path / "out.parquet")
    assert [row["path"] for row in rows] == [str(path) for path in sorted(photos.iterdir())]
    assert [row["error_code"] for row in rows] == [None] * 70 + ["unsupported_image_format"]
    with Client(url) as client:
        for row in rows[:70:10]:
            best = client.classify(row["path"]).predictions[0]
            assert (row["class_index_1"], row["label_1"]) == (best.class_index, best.label)
            assert row["score_1"] == pytest.approx(best.score, abs=1e-4)


def test_the_crop_and_a_picture_of_the_map(url: str) -> None:
    with Client(url) as client:
        crop = client.classify(draw(5)).crop
        pictures = [client.explain(draw(5), class_index=index, opacity=0.9) for index in (8, 9)]
        with pytest.raises(errors.InvalidParameter):
            client.explain(draw(5), class_index=10)
        with pytest.raises(errors.InvalidArgument):
            client.explain(draw(5), top_k=3)  # type: ignore[call-arg]  # on purpose

    assert crop is not None
    left, top, right, bottom = crop
    assert left + right == pytest.approx(200, abs=1)
    assert (top, bottom) == (0, 150)
    assert pictures[0] != pictures[1]
    with Image.open(BytesIO(pictures[0])) as picture:
        assert (picture.format, picture.size) == ("PNG", (200, 150))


async def test_the_asynchronous_client_explains_as_well(url: str) -> None:
    async with AsyncClient(url) as client:
        picture = await client.explain(draw(5), class_index=8, opacity=0.9)
    with Client(url) as client:
        assert client.explain(draw(5), class_index=8, opacity=0.9) == picture


def test_a_prediction_set(url: str) -> None:
    with Client(url) as client:
        answer = client.classify(draw(1), coverage=0.9)
        wide = client.classify(draw(1), coverage=0.999)
        assert client.classify(draw(1)).prediction_set is None
    assert answer.prediction_set is not None
    assert wide.prediction_set is not None
    assert set(answer.prediction_set) <= set(wide.prediction_set)
    labels = {found.label for found in answer.predictions}
    assert {member.label for member in answer.prediction_set} <= labels
    assert isinstance(answer.to_dict()["prediction_set"], list)


async def test_arrays_and_images_that_come_asynchronously(url: str) -> None:
    pictures = [Image.open(BytesIO(draw(number))) for number in range(5)]

    async def arrays() -> AsyncIterator[np.ndarray[Any, np.dtype[np.uint8]]]:
        for picture in pictures:
            yield np.asarray(picture)

    async with AsyncClient(url, images_per_request=2) as client:
        found = [result async for result in client.classify_many(arrays())]
        for result, picture in zip(found, pictures, strict=True):
            assert isinstance(result, Classification)
            assert result.timing is not None
            assert result.timing.inference_ms is not None
            alone = (await client.classify(picture)).predictions[0]
            assert result.predictions[0].class_index == alone.class_index
            assert result.predictions[0].score == pytest.approx(alone.score, abs=1e-4)


def test_every_kind_of_input_and_column(url: str, tmp_path: Path) -> None:
    images = [draw(number) for number in range(6)]
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for number, data in enumerate(images):
            archive.writestr(f"{number}.jpg", data)
    table = pa.table({"image": pa.array(images, pa.binary()), "id": list("abcdef")})
    parquet.write_table(table, tmp_path / "photos.parquet")
    outputs = []
    for source, more in (
        ("photos.zip", JobOptions(inputs=(), output="", url=url)),
        ("photos.parquet", JobOptions(inputs=(), output="", url=url, keep=("id",))),
    ):
        output = tmp_path / "out" / f"{source}.jsonl"
        options = replace(
            more,
            inputs=(str(tmp_path / source),),
            output=f"file://{output}",
            work=str(tmp_path),
            column="image",
            margin=True,
            embeddings=True,
            progress="none",
        )
        output.parent.mkdir(exist_ok=True)
        assert run_job(options, []) is Exit.COMPLETE
        outputs.append(read_rows(output))
    with Client(url) as client:
        for data, zipped, stored in zip(images, *outputs, strict=True):
            answer = client.classify(data, include=["embedding"])
            best, second = answer.predictions[:2]
            for row in (zipped, stored):
                assert row["label_1"] == best.label
                assert row["margin"] == pytest.approx(best.score - second.score, abs=0.01)
                assert answer.embedding is not None
                assert len(row["embedding"]) == len(answer.embedding)
    assert [row["id"] for row in outputs[1]] == list("abcdef")
