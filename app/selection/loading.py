"""From a repository to the engine that serves: found, chosen and proved."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from app.contract.errors import ConfigurationError
from app.contract.manifest import Manifest, Precision, Variant
from app.contract.repository import Repository, select_variant
from app.engines.buckets import batch_buckets, largest_batch
from app.engines.engine import Engine, Engines, Layout, Provider
from app.engines.freed_memory import large_blocks_mapped
from app.hardware import processor
from app.selection.cache import ChoiceCache
from app.selection.candidates import Candidate, cpu_layouts, cpu_variants, gpu_variant
from app.selection.choice import Choice, Chooser
from app.selection.memory_left import MemoryLeft
from app.selection.proof import Step
from app.selection.served_model import ServedModel
from app.selection.verified_engines import VerifiedEngines

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """An engine that has proved itself, what it serves, and why this one was chosen.

    Attributes:
        model: what it serves.
        engine: the engine.
        choice: why this one.
        file_bytes: the size of its ONNX file.
    """

    model: ServedModel
    engine: Engine
    choice: Choice
    file_bytes: int


def load_model(
    repository: Repository,
    engines: Engines,
    *,
    model: str,
    precision: Literal["auto"] | Precision,
    max_batch_size: int,
    cores: int,
    inference_threads: int = 0,
    max_accuracy_drop: float = 0.5,
    cache: ChoiceCache | None = None,
    memory_left: MemoryLeft | None = None,
    like: ServedModel | None = None,
    measures: bool = True,
    checkpoint: Callable[[Step], None] = lambda step: None,
) -> LoadedModel:
    """Finds, verifies, loads, warms and self-tests a model. Blocks for as long as that takes.

    On the CPU a precision and threads that are left open are chosen by measurement.

    Args:
        repository: where to find the model.
        engines: loads it.
        model: `name` or `name:version`.
        precision: the setting.
        max_batch_size: largest batch to run; 0 for what is usual on the provider.
        cores: cores that inference may use.
        inference_threads: threads of one run on the CPU; 0 to measure which number is best.
        max_accuracy_drop: top-1 accuracy in points that "auto" may give up for speed.
        cache: remembers what was measured.
        memory_left: the memory there is for it; a model that cannot fit on the CPU is refused. None
            if nothing limits it.
        like: a version of the model that serves here.
        measures: whether to measure; if not, what is left open is as an earlier measurement says,
            as it suits `like`, or by rule.
        checkpoint: called before the steps; what it raises ends the loading.

    Raises:
        ConfigurationError: if any of it fails; the message names the option and the remedy.
    """
    name, _, version = model.partition(":")
    checkpoint("find")
    found = repository.find(name, int(version) if version else None, partial(checkpoint, "copy"))
    loader = _Loader(
        VerifiedEngines(found, engines, not measures, checkpoint),
        precision,
        max_batch_size,
        cores,
        cpu_layouts(cores, inference_threads),
        max_accuracy_drop,
        cache,
        memory_left,
        like,
        measures,
    )
    with large_blocks_mapped():
        return loader.load()


@dataclass(frozen=True, slots=True)
class _Loader:
    verified: VerifiedEngines
    precision: Literal["auto"] | Precision
    max_batch_size: int
    cores: int
    layouts: Sequence[Layout]
    max_accuracy_drop: float
    cache: ChoiceCache | None
    memory_left: MemoryLeft | None
    like: ServedModel | None
    measures: bool

    @property
    def _manifest(self) -> Manifest:
        return self.verified.found.manifest

    def load(self) -> LoadedModel:
        *better, last = self.verified.engines.providers()
        for provider in better:
            try:
                return self._load_on(provider)
            except ConfigurationError as error:
                if error.option != "provider":
                    raise
                logger.warning("provider %s skipped: %s", provider, error.cause)
        return self._load_on(last)

    def _load_on(self, provider: Provider) -> LoadedModel:
        return self._load_on_cpu() if provider == "cpu" else self._load_on_gpu(provider)

    def _load_on_gpu(self, provider: Provider) -> LoadedModel:
        if self.precision == "auto":
            variant = gpu_variant(self._manifest, self.max_accuracy_drop)
        else:
            variant = select_variant(self.precision, self._manifest)
        # While one slot copies, the other computes.
        candidate = Candidate(provider, variant, Layout(threads=1, slots=2))
        chosen_by: Literal["rule", "setting"] = "rule" if self.precision == "auto" else "setting"
        batch = largest_batch(self.max_batch_size, provider)
        engine = self.verified.load(candidate)
        return self._proved(Choice(candidate, chosen_by, engine, batch, batch))

    def _load_on_cpu(self) -> LoadedModel:
        if self.precision == "auto":
            variants = cpu_variants(self._manifest, self.max_accuracy_drop)
        else:
            variants = [select_variant(self.precision, self._manifest)]
        self.verified.checkpoint("verify")
        if self.memory_left is not None:
            variants = self.memory_left.fitting(self.verified.found, variants)
        # All digests are checked before anything is measured: a file that was damaged is no reason
        # to serve another variant. But not of one that there is not the memory to read.
        for variant in variants:
            self.verified.file(variant)
        return self._fastest(variants)

    def _fastest(self, variants: Sequence[Variant]) -> LoadedModel:
        """Serves the fastest of those that prove themselves."""
        inputs, _ = self.verified.found.golden()
        chooser = Chooser(
            self.verified.load,
            inputs,
            self._manifest.signature.logits.name,
            list(batch_buckets(largest_batch(self.max_batch_size, "cpu"))),
            cores=self.cores,
            circumstances={"processor": processor(), "runtime": self.verified.engines.runtime},
            cache=self.cache,
            like=self.like,
            measures=self.measures,
        )
        choice = chooser.choose(variants, self.layouts)
        try:
            return self._proved(choice)
        except ConfigurationError as error:
            others = [variant for variant in variants if variant is not choice.candidate.variant]
            if not others:
                raise
            logger.warning("%s is passed over: %s", choice.candidate, error.cause)
        del choice  # and with it the engine
        return self._fastest(others)

    def _proved(self, choice: Choice) -> LoadedModel:
        candidate = choice.candidate
        proof = self.verified.prove(choice)
        lone = choice.engine.open_lone_slot()
        logger.info("engine (precision, threads of a run x runs): %s", choice)
        served = ServedModel(
            self._manifest,
            candidate.variant,
            candidate.provider,
            replace(candidate.layout, lone_threads=0) if lone is None else candidate.layout,
            choice.max_batch_size,
            choice.chosen_by,
            proof.signature,
            proof.difference,
            self.verified.found.class_gates(),
            choice.usual_batch_size,
        )
        size = self.verified.file(candidate.variant).stat().st_size
        return LoadedModel(served, choice.engine, choice, size)
