"""Which engines may serve a model on the CPU: variants that are accurate enough, and layouts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.contract.manifest import Manifest, Precision, Variant
from app.engines.engine import Layout, Provider

ChosenBy = Literal["setting", "rule", "measurement", "cache"]
"""Why an engine serves: nothing was left to choose, a rule (for GPUs, and where other engines
serve already), a measurement at this start, or one at an earlier start."""

# fp16 is exported, and its parity proved, for GPUs.
_FAST_ON_CPU: tuple[Precision, ...] = ("int8", "fp32")
_FAST_ON_GPU: tuple[Precision, ...] = ("fp16", "fp32", "int8")
_BY_EXACTNESS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
_CORES_FOR_A_MIDDLE = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that could serve: a variant on a provider in a layout."""

    provider: Provider
    variant: Variant
    layout: Layout

    def __str__(self) -> str:
        return f"{self.variant.precision} {self.layout.threads}x{self.layout.slots}"

    def with_lone_threads(self, threads: int) -> "Candidate":
        """The same with a slot for lone runs of so many threads; 0 for none."""
        return replace(self, layout=replace(self.layout, lone_threads=threads))

    @property
    def exactness(self) -> int:
        """Rank of the precision; 0 is the most exact."""
        return _BY_EXACTNESS.index(self.variant.precision)


def accurate_variants(manifest: Manifest, max_accuracy_drop: float) -> list[Variant]:
    """The variants whose top-1 accuracy is known to be near enough to the most exact one's.

    Where both have been evaluated on the same images, the difference counts. Where not, parity
    does: an answer that agrees with the reference's is no new mistake, so that accuracy falls by
    no more than the share of answers that differ.

    Args:
        manifest: of the model.
        max_accuracy_drop: in points (hundredths) of top-1 accuracy.

    Returns:
        The most exact variant, and the others that pass, by falling exactness.
    """
    variants = sorted(manifest.variants, key=lambda variant: _BY_EXACTNESS.index(variant.precision))
    reference = variants[0]
    return [
        variant
        for variant in variants
        if variant is reference or _drop(variant, reference) <= max_accuracy_drop
    ]


def cpu_variants(manifest: Manifest, max_accuracy_drop: float) -> list[Variant]:
    """Those of `accurate_variants` that may be the fastest on a CPU, the likely one first."""
    accurate = accurate_variants(manifest, max_accuracy_drop)
    fast = [variant for variant in accurate if variant.precision in _FAST_ON_CPU]
    return sorted(fast, key=lambda variant: _FAST_ON_CPU.index(variant.precision)) or accurate[:1]


def gpu_variant(manifest: Manifest, max_accuracy_drop: float) -> Variant:
    """That of `accurate_variants` which is likely the fastest on a GPU."""
    accurate = accurate_variants(manifest, max_accuracy_drop)
    return min(accurate, key=lambda variant: _FAST_ON_GPU.index(variant.precision))


def cpu_layouts(cores: int, inference_threads: int) -> list[Layout]:
    """How runs may share the cores; the layout with most threads a run comes first.

    Args:
        cores: cores that inference may use.
        inference_threads: threads of one run if that is fixed, else 0.
    """
    threads: Sequence[int]
    if inference_threads:
        threads = [min(inference_threads, cores)]
    elif cores >= _CORES_FOR_A_MIDDLE:
        # About as many runs as threads in each: 2 threads of 4 cores, 4 of 8, 4 of 16, 8 of 64.
        threads = [cores, 2 ** math.ceil(math.log2(cores) / 2), 1]
    else:
        threads = [cores, 1]
    return [Layout(number, _slots(number, cores)) for number in dict.fromkeys(threads)]


def _slots(threads: int, cores: int) -> int:
    # A run over all cores leaves gaps where its threads wait for each other; a second fills them.
    return cores if threads == 1 else max(2, cores // threads)


def _drop(variant: Variant, reference: Variant) -> float:
    """Points of top-1 accuracy that the variant loses, or at most can lose."""
    own, best = variant.accuracy, reference.accuracy
    if own and best and (own.dataset, own.images) == (best.dataset, best.images):
        return 100 * (best.top1 - own.top1)
    return 100 * (1 - variant.parity.top1_agreement)
