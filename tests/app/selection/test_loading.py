"""A model serves only after it has proved itself."""

import os
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision
from app.contract.repository import ModelRepository
from app.contract.signature import Signature
from app.engines.engine import Engines, Layout, Provider
from app.engines.onnx_engine import OnnxEngines
from app.selection.cache import ChoiceCache
from app.selection.loading import LoadedModel, load_model
from app.selection.memory_left import memory_left_at_start
from tests.support.colours import COLOURS, INPUT_SIDE, colour_outputs
from tests.support.engines import FakeEngine, FakeEngines, Respond
from tests.support.repository import COLOUR_SIGNATURE, ManifestDict, in_schema_1, write_model
from tests.support.signatures import without_output


def load(
    root: Path,
    engines: Engines,
    *,
    model: str = "colours",
    precision: Literal["auto"] | Precision = "auto",
    max_batch_size: int = 6,
    memory_limit_bytes: int | None = None,
    cores: int = 1,
    inference_threads: int = 0,
    cache: ChoiceCache | None = None,
    measures: bool = True,
) -> LoadedModel:
    return load_model(
        ModelRepository(root),
        engines,
        model=model,
        precision=precision,
        max_batch_size=max_batch_size,
        cores=cores,
        inference_threads=inference_threads,
        cache=cache,
        measures=measures,
        memory_left=memory_left_at_start(memory_limit_bytes),
    )


def refusal(
    root: Path,
    engines: Engines,
    model: str = "colours",
    precision: Literal["auto"] | Precision = "auto",
) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        load(root, engines, model=model, precision=precision)
    return raised.value


def test_loads_warms_and_tests(repository: Path) -> None:
    engines = FakeEngines()
    loaded = load(repository, engines)
    assert loaded.engine is engines.engine
    assert (loaded.model.name, loaded.model.version) == ("colours", "1")
    assert (loaded.model.provider, loaded.model.variant.precision) == ("cpu", "fp32")
    assert (loaded.model.layout, loaded.model.chosen_by) == (Layout(1, 1), "setting")
    assert loaded.model.digest == "sha256:" + loaded.model.variant.sha256
    *warm_up, golden = [batch.shape for batch in engines.engine.batches]
    assert warm_up == [(size, INPUT_SIDE, INPUT_SIDE, 3) for size in (1, 2, 4, 6)]
    assert golden == (4, INPUT_SIDE, INPUT_SIDE, 3)


def test_no_batch_is_larger_than_those_that_will_be_served(repository: Path) -> None:
    engines = FakeEngines()
    load(repository, engines, max_batch_size=3)
    *warm_up, first, second = [len(batch) for batch in engines.engine.batches]
    assert warm_up == [1, 2, 3]
    assert (first, second) == (3, 1)


@pytest.mark.parametrize(
    ("cores", "threads", "layout"),
    [
        (8, 1, Layout(threads=1, slots=8)),
        (8, 3, Layout(threads=3, slots=2)),
        (2, 5, Layout(threads=2, slots=2)),
    ],
)
def test_runs_share_the_cores(repository: Path, cores: int, threads: int, layout: Layout) -> None:
    engines = FakeEngines()
    load(repository, engines, cores=cores, inference_threads=threads)
    assert engines.layouts == [layout]


@pytest.mark.parametrize(("cores", "threads"), [(2, 2), (2, 0), (1, 0), (3, 1)])
def test_the_slots_that_are_reported_are_those_that_run(
    repository: Path, cores: int, threads: int
) -> None:
    loaded = load(repository, OnnxEngines("cpu"), cores=cores, inference_threads=threads)
    assert len(loaded.engine.open_slots()) == loaded.model.layout.slots


def test_a_version_may_be_named(tmp_path: Path) -> None:
    for version in (1, 2):
        write_model(tmp_path, version=version)
    assert load(tmp_path, FakeEngines()).model.version == "2"
    assert load(tmp_path, FakeEngines(), model="colours:1").model.version == "1"
    assert refusal(tmp_path, FakeEngines(), "colours:3").option == "model"


def test_a_file_that_differs_from_its_digest_is_never_loaded(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    with (folder / "model.fp32.onnx").open("ab") as file:
        file.write(b"\x00")
    engines = FakeEngines()
    error = refusal(tmp_path, engines)
    assert error.option == "model_repository"
    assert "SHA-256" in error.cause
    assert engines.loaded == []


def test_a_damaged_file_is_no_reason_to_serve_another_variant(tmp_path: Path) -> None:
    def with_int8(manifest: ManifestDict) -> None:
        [fp32] = manifest["variants"]
        manifest["variants"].append(fp32 | {"precision": "int8", "file": "model.int8.onnx"})
        manifest["golden"]["tolerance"]["int8"] = 1e-3

    folder = write_model(tmp_path, change=with_int8)
    (folder / "model.int8.onnx").write_bytes((folder / "model.fp32.onnx").read_bytes())
    load(tmp_path, FakeEngines())  # whole, they load
    for damaged in ("int8", "fp32"):
        file = folder / f"model.{damaged}.onnx"
        right = file.read_bytes()
        file.write_bytes(right + b"\x00")
        engines = FakeEngines()
        assert "SHA-256" in refusal(tmp_path, engines).cause
        assert engines.loaded == []
        file.write_bytes(right)


def off_by(offset: float) -> Respond:
    """Logits of which the last image's are wrong."""

    def respond(
        images: NDArray[np.uint8], outputs: Collection[str]
    ) -> dict[str, NDArray[np.float32]]:
        answers = dict(colour_outputs(images, outputs))
        answers["logits"] = answers["logits"].copy()
        answers["logits"][-1, 5] += offset
        return answers

    return respond


@pytest.mark.parametrize("offset", [0.01, np.nan, np.inf])
def test_an_engine_that_computes_something_else_is_refused(repository: Path, offset: float) -> None:
    error = refusal(repository, FakeEngines(FakeEngine(respond=off_by(offset))))
    assert error.option == "model_repository"
    assert "self-test" in error.cause


@pytest.mark.parametrize("offset", [0.01, np.nan])
def test_one_image_shows_whether_a_lone_run_computes_the_same(
    repository: Path, offset: float
) -> None:
    engine = FakeEngine(lone=FakeEngine())
    load(repository, FakeEngines(engine))
    assert engine.lone
    assert [len(batch) for batch in engine.lone.batches] == [1]
    wrong = FakeEngine(lone=FakeEngine(respond=off_by(offset)))
    assert "self-test" in refusal(repository, FakeEngines(wrong)).cause


def test_an_engine_that_fails_is_refused_in_one_line(repository: Path) -> None:
    def fail(*_: object) -> dict[str, NDArray[np.float32]]:
        raise RuntimeError("first line\nsecond line")

    error = refusal(repository, FakeEngines(FakeEngine(respond=fail)))
    assert error.option == "model_repository"
    assert error.cause.endswith("does not run on a batch of 1: first line second line")


def test_every_output_is_tried_before_anybody_asks_for_it(repository: Path) -> None:
    engines = FakeEngines()
    load(repository, engines)
    assert frozenset().union(*engines.engine.outputs) == {"logits", "embedding", "cam"}


def test_an_output_of_another_size_than_the_signature_says_is_refused(repository: Path) -> None:
    def respond(
        images: NDArray[np.uint8], outputs: Collection[str]
    ) -> dict[str, NDArray[np.float32]]:
        answers = dict(colour_outputs(images, outputs))
        if "embedding" in answers:
            answers["embedding"] = np.zeros((len(images), 5), np.float32)
        return answers

    error = refusal(repository, FakeEngines(FakeEngine(respond=respond)))
    assert error.option == "model_repository"
    assert "gives embedding as float32 [4, 5]" in error.cause
    assert "says float32 [batch, 3]" in error.cause


def test_a_file_that_differs_from_its_signature_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, model=without_output("cam"))
    error = refusal(tmp_path, OnnxEngines("cpu"))
    assert error.option == "model_repository"
    assert "model.fp32.onnx is not what its manifest's signature says" in error.cause
    assert "no output cam" in error.cause


def test_what_a_manifest_of_schema_1_leaves_open_is_known_once_it_serves(tmp_path: Path) -> None:
    write_model(tmp_path, change=in_schema_1)
    loaded = load(tmp_path, OnnxEngines("cpu"))
    assert not loaded.model.manifest.signature.is_complete
    assert loaded.model.signature == COLOUR_SIGNATURE


def test_an_engine_with_other_classes_is_refused(repository: Path) -> None:
    engine = FakeEngine(
        respond=lambda images, outputs: {
            "logits": np.zeros((len(images), len(COLOURS) - 1), np.float32)
        }
    )
    assert "self-test" in refusal(repository, FakeEngines(engine)).cause


def test_a_difference_within_the_tolerance_passes(repository: Path) -> None:
    engine = FakeEngine(
        respond=lambda images, outputs: {
            name: values + np.float32(0.0005)
            for name, values in colour_outputs(images, outputs).items()
        }
    )
    assert load(repository, FakeEngines(engine)).engine is engine


def test_the_next_provider_is_tried_if_one_does_not_load(repository: Path) -> None:
    error = ConfigurationError("provider", "CUDA did not load", "install a driver")
    engines = FakeEngines(providers=("cuda", "cpu"), refusals={"cuda": error})
    assert load(repository, engines).model.provider == "cpu"
    assert [provider for _, provider in engines.loaded] == ["cuda", "cpu"]


def test_a_lone_provider_that_does_not_load_is_the_end(repository: Path) -> None:
    error = ConfigurationError("provider", "CUDA did not load", "install a driver")
    engines = FakeEngines(providers=("cuda",), refusals={"cuda": error})
    assert refusal(repository, engines) is error


def test_a_model_that_does_not_load_is_no_reason_to_try_the_next_provider(
    repository: Path,
) -> None:
    error = ConfigurationError("model_repository", "no ONNX", "export again")
    engines = FakeEngines(providers=("cuda", "cpu"), refusals={"cuda": error})
    assert refusal(repository, engines) is error
    assert len(engines.loaded) == 1


def _with_variants(manifest: ManifestDict) -> None:
    [fp32] = manifest["variants"]
    manifest["variants"] += [fp32 | {"precision": "fp16"}, fp32 | {"precision": "int8"}]
    manifest["golden"]["tolerance"] = dict.fromkeys(("fp32", "fp16", "int8"), 1e-3)


class OffInInt8(FakeEngines):
    """Computes something else from the int8 file."""

    def load(
        self, model_file: Path, provider: Provider, layout: Layout, signature: Signature
    ) -> FakeEngine:
        engine = super().load(model_file, provider, layout, signature)
        if "int8" not in model_file.name:
            return engine
        return FakeEngine(
            respond=lambda images, outputs: {
                "logits": colour_outputs(images, outputs)["logits"] + np.float32(1)
            }
        )


def test_a_variant_that_fails_its_self_test_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def change(manifest: ManifestDict) -> None:
        [fp32] = manifest["variants"]
        manifest["variants"].append(fp32 | {"precision": "int8", "file": "model.int8.onnx"})
        manifest["golden"]["tolerance"]["int8"] = 1e-3

    folder = write_model(tmp_path, change=change)
    (folder / "model.int8.onnx").write_bytes((folder / "model.fp32.onnx").read_bytes())
    cache = ChoiceCache(tmp_path / "cache")
    engines = OffInInt8()
    # As an earlier start would have left it, had the engine been right then.
    with_int8 = load(tmp_path, FakeEngines(), cache=cache)
    [file] = (tmp_path / "cache").iterdir()
    file.write_text(
        file.read_text().replace(
            f'"chosen": "{with_int8.choice.candidate}"', '"chosen": "int8 1x1"'
        )
    )
    loaded = load(tmp_path, engines, cache=cache)
    assert loaded.model.variant.precision == "fp32"
    assert any("int8 1x1 is passed over" in message for message in caplog.messages)
    assert refusal(tmp_path, OffInInt8(), precision="int8").option == "model_repository"


def test_the_precision_suits_the_provider_that_loads(tmp_path: Path) -> None:
    write_model(tmp_path, change=_with_variants)
    on_gpu = FakeEngines(providers=("cuda", "cpu"))
    by_rule = load(tmp_path, on_gpu).model
    assert (by_rule.variant.precision, by_rule.chosen_by) == ("fp16", "rule")
    error = ConfigurationError("provider", "CUDA did not load", "install a driver")
    fallen_through = FakeEngines(providers=("cuda", "cpu"), refusals={"cuda": error})
    assert load(tmp_path, fallen_through, precision="int8").model.provider == "cpu"
    assert load(tmp_path, on_gpu, precision="fp32").model.variant.precision == "fp32"


def test_a_precision_that_is_not_there_is_refused(repository: Path) -> None:
    with pytest.raises(ConfigurationError, match="only fp32") as raised:
        load(repository, FakeEngines(), precision="int8")
    assert raised.value.option == "precision"


def test_a_memory_limit_that_is_too_small_is_told_before_the_model_is_loaded(
    repository: Path,
) -> None:
    engines = FakeEngines()
    with pytest.raises(ConfigurationError, match="the container's limit is 64 MiB") as raised:
        load(repository, engines, memory_limit_bytes=64 * 2**20)
    assert raised.value.option == "model"
    assert engines.loaded == []
    load(repository, engines, memory_limit_bytes=128 * 2**20)


def test_a_file_that_memory_is_not_enough_for_is_not_read(tmp_path: Path) -> None:
    def with_int8(manifest: ManifestDict) -> None:
        _with_variants(manifest)
        manifest["variants"][2]["file"] = "model.int8.onnx"

    folder = write_model(tmp_path, change=with_int8)
    (folder / "model.int8.onnx").touch()
    os.truncate(folder / "model.int8.onnx", 2**40)  # takes no space on a disk
    served = load(tmp_path, FakeEngines(), memory_limit_bytes=128 * 2**20).model
    assert served.variant.precision == "fp32"
    os.truncate(folder / "model.fp32.onnx", 2**40)
    with pytest.raises(ConfigurationError, match="needs 3145728 MiB of memory, 48 MiB are left"):
        load(tmp_path, FakeEngines(), memory_limit_bytes=128 * 2**20)


def test_a_gpu_has_a_memory_of_its_own(repository: Path) -> None:
    load(repository, FakeEngines(providers=("cuda",)), memory_limit_bytes=64 * 2**20)


def test_a_load_beside_others_gives_way_to_them(repository: Path) -> None:
    niceness = []

    def respond(
        images: NDArray[np.uint8], outputs: Collection[str]
    ) -> dict[str, NDArray[np.float32]]:
        niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return dict(colour_outputs(images, outputs))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    engines = FakeEngines(FakeEngine(respond=respond))
    load(repository, engines, measures=False)
    assert set(niceness) == {min(19, before + 10)}
    niceness.clear()
    load(repository, engines)
    assert set(niceness) == {before}
