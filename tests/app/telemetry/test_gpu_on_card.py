"""What the driver's library says of a card that computes. Needs one; deselected without."""

from pathlib import Path

import numpy as np
import pytest

from app.contract.repository import ModelRepository
from app.engines.cuda_uuid import cuda_uuids
from app.engines.engine import Layout
from app.engines.onnx_engine import OnnxEngines
from app.telemetry.gpu import GpuCollector, load_nvml
from tests.support.waiting import eventually

pytestmark = pytest.mark.needs_cuda

MIB = 2**20


def told(collector: GpuCollector) -> dict[str, float]:
    samples = [sample for family in collector.collect() for sample in family.samples]
    assert {sample.labels["uuid"] for sample in samples} <= set(cuda_uuids())
    return {sample.name: sample.value for sample in samples}


def test_memory_and_utilisation_of_a_card_at_work() -> None:
    version = ModelRepository(Path("models")).find("imagenette")
    (variant,) = (each for each in version.manifest.variants if each.precision == "fp32")
    engine = OnnxEngines("cuda", max_batch_size=64).load(
        version.folder / variant.file, "cuda", Layout(1, 1), version.manifest.signature
    )
    slot = engine.open_slots()[0]
    images = list(np.zeros((64, 160, 160, 3), np.uint8))
    collector = GpuCollector(load_nvml, cuda_uuids, period_seconds=0.05)
    collector.start()
    try:

        def busy() -> bool:
            slot.run(images, ["logits"])
            return told(collector).get("senet_gpu_utilization_ratio", 0) > 0

        eventually(busy)
        found = told(collector)
    finally:
        collector.stop()
    # The weights and the buffers of 64 images take some; no card has less than a GiB.
    used, total = found["senet_gpu_memory_used_bytes"], found["senet_gpu_memory_total_bytes"]
    assert 100 * MIB < used < total
    assert total > 1024 * MIB
    assert 0 < found["senet_gpu_utilization_ratio"] <= 1
    assert 0 <= found["senet_gpu_memory_utilization_ratio"] <= 1
