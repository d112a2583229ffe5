"""From a repository to the engine that serves: found, verified, chosen and proved."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from app.contract.errors import ConfigurationError
from app.contract.manifest import Precision, Variant
from app.contract.repository import ModelVersion, Repository, select_variant
from app.engines.buckets import batch_buckets, largest_batch
from app.engines.engine import Engine, Engines, Layout, Provider
from app.engines.freed_memory import large_blocks_mapped
from app.engines.gently import Pauses, gently
from app.hardware import processor
from app.selection.cache import ChoiceCache
from app.selection.candidates import Candidate, cpu_layouts, cpu_variants, gpu_variant
from app.selection.choice import Choice, Chooser
from app.selection.proof import Step, prove
from app.selection.room import LOADING_BYTES_PER_BYTE, Room
from app.selection.served_model import ServedModel

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


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
    room: Room | None = None,
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
        room: the memory there is for it; a model that cannot fit on the CPU is refused. None if
            nothing limits it.
        like: a version of the model that serves here.
        measures: whether to measure; if not, what is left open is as an earlier measurement says,
            as it suits `like`, or by rule.
        checkpoint: called before the steps; what it raises ends the loading.

    Raises:
        ConfigurationError: if any of it fails; the message names the option and the remedy.
    """
    name, _, version = model.partition(":")
    checkpoint("find")
    loader = _Loader(
        repository.find(name, int(version) if version else None, partial(checkpoint, "copy")),
        engines,
        precision,
        max_batch_size,
        cores,
        cpu_layouts(cores, inference_threads),
        max_accuracy_drop,
        cache,
        room,
        like,
        measures,
        checkpoint,
    )
    with large_blocks_mapped():
        return loader.load()


@dataclass(frozen=True, slots=True)
class _Loader:
    found: ModelVersion
    engines: Engines
    precision: Literal["auto"] | Precision
    max_batch_size: int
    cores: int
    layouts: Sequence[Layout]
    max_accuracy_drop: float
    cache: ChoiceCache | None
    room: Room | None
    like: ServedModel | None
    measures: bool
    checkpoint: Callable[[Step], None]
    _verified: dict[Precision, Path] = field(default_factory=dict)

    def load(self) -> LoadedModel:
        *better, last = self.engines.providers()
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
            variant = gpu_variant(self.found.manifest, self.max_accuracy_drop)
        else:
            variant = select_variant(self.precision, self.found.manifest)
        # While one slot copies, the other computes.
        candidate = Candidate(provider, variant, Layout(threads=1, slots=2))
        chosen_by: Literal["rule", "setting"] = "rule" if self.precision == "auto" else "setting"
        return self._proved(
            Choice(
                candidate,
                chosen_by,
                self._engine(candidate),
                largest_batch(self.max_batch_size, provider),
            )
        )

    def _load_on_cpu(self) -> LoadedModel:
        if self.precision == "auto":
            variants = cpu_variants(self.found.manifest, self.max_accuracy_drop)
        else:
            variants = [select_variant(self.precision, self.found.manifest)]
        return self._fastest(self._that_fit(variants))

    def _fastest(self, variants: Sequence[Variant]) -> LoadedModel:
        """Serves the fastest of those that prove themselves."""
        inputs, _ = self.found.golden()
        chooser = Chooser(
            self._engine,
            inputs,
            self.found.manifest.signature.logits.name,
            list(batch_buckets(largest_batch(self.max_batch_size, "cpu"))),
            cores=self.cores,
            circumstances={"processor": processor(), "runtime": self.engines.runtime},
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
        precision = candidate.variant.precision
        proof = self._beside_others(
            lambda: prove(
                choice.engine, self.found, precision, choice.max_batch_size, self.checkpoint
            )
        )
        lone = choice.engine.open_lone_slot()
        logger.info("engine (precision, threads of a run x runs): %s", choice)
        served = ServedModel(
            self.found.manifest,
            candidate.variant,
            candidate.provider,
            replace(candidate.layout, lone_threads=0) if lone is None else candidate.layout,
            choice.max_batch_size,
            choice.chosen_by,
            proof.signature,
            proof.difference,
            self.found.class_gates(),
        )
        size = self._file(candidate.variant).stat().st_size
        return LoadedModel(served, choice.engine, choice, size)

    def _engine(self, candidate: Candidate) -> Engine:
        file = self._file(candidate.variant)
        self.checkpoint("load")

        def load() -> Engine:
            return self.engines.load(
                file, candidate.provider, candidate.layout, self.found.manifest.signature
            )

        # The threads of an engine would stay as slow to get a core as the one that makes them.
        layout = candidate.layout
        has_threads = layout.threads > 1 or layout.lone_threads > 1 or candidate.provider != "cpu"
        return load() if has_threads else self._beside_others(load)

    def _beside_others(self, work: Callable[[], Result]) -> Result:
        """Does something so that it gives way to engines that serve, if there may be any."""
        return work() if self.measures else gently(work)

    def _file(self, variant: Variant) -> Path:
        """The variant's file; its digest is computed once."""
        if variant.precision not in self._verified:
            self.checkpoint("verify")
            self._verified[variant.precision] = (
                self.found.verified_file(variant)
                if self.measures
                else gently(lambda: self.found.verified_file(variant, Pauses()))
            )
        return self._verified[variant.precision]

    def _that_fit(self, variants: Sequence[Variant]) -> list[Variant]:
        """The variants that there is memory for.

        Raises:
            ConfigurationError: if that is none: in words what the kernel would end without one.
        """
        self.checkpoint("verify")
        fitting = list(variants) if self.room is None else self._within(variants, self.room)
        # All digests are checked before anything is measured: a file that was damaged is no reason
        # to serve another variant. But not of one that there is no memory to read.
        for variant in fitting:
            self._file(variant)
        return fitting

    def _within(self, variants: Sequence[Variant], room: Room) -> list[Variant]:
        needed = {
            variant.precision: LOADING_BYTES_PER_BYTE * self._size(variant) for variant in variants
        }
        left = room.left_bytes
        fitting = [variant for variant in variants if needed[variant.precision] <= left]
        if not fitting:
            raise ConfigurationError(
                "model",
                f"{self.found.manifest.name} needs {min(needed.values()) / 2**20:.0f} MiB of"
                f" memory, {max(0, left) / 2**20:.0f} MiB are left for it: {room.told}",
                "raise the limit, or serve a smaller --precision or --model (SENET_PRECISION,"
                " SENET_MODEL)",
            )
        for precision in needed.keys() - {variant.precision for variant in fitting}:
            logger.warning(
                "%s of %s is passed over: it needs %d MiB of memory, %d MiB are left",
                precision,
                self.found.manifest.name,
                needed[precision] >> 20,
                left >> 20,
            )
        return fitting

    def _size(self, variant: Variant) -> int:
        try:
            return (self.found.folder / variant.file).stat().st_size
        except OSError:
            return 0  # whoever reads it says what is wrong
