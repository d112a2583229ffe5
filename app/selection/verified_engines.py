"""The engines of one model version: from verified files, each proved before it serves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from app.contract.manifest import Precision, Variant
from app.contract.repository import ModelVersion
from app.engines.engine import Engine, Engines
from app.engines.gently import Pauses, gently
from app.selection.candidates import Candidate
from app.selection.choice import Choice
from app.selection.proof import Proof, Step, prove

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class VerifiedEngines:
    """Verifies the files of a model version, loads engines from them, and proves these.

    Attributes:
        found: the version.
        engines: loads an engine.
        gives_way: whether all of it runs at a lower priority, for the sake of engines that serve.
        checkpoint: called before the steps; what it raises ends the loading.
    """

    found: ModelVersion
    engines: Engines
    gives_way: bool
    checkpoint: Callable[[Step], None]
    _verified: dict[Precision, Path] = field(default_factory=dict)

    def file(self, variant: Variant) -> Path:
        """The variant's file; its digest is computed once.

        Raises:
            ConfigurationError: see `ModelVersion.verified_file`.
        """
        if variant.precision not in self._verified:
            self.checkpoint("verify")
            self._verified[variant.precision] = (
                gently(lambda: self.found.verified_file(variant, Pauses()))
                if self.gives_way
                else self.found.verified_file(variant)
            )
        return self._verified[variant.precision]

    def load(self, candidate: Candidate) -> Engine:
        """The candidate's engine, from its verified file.

        Raises:
            ConfigurationError: if the file or the engine is refused.
        """
        file = self.file(candidate.variant)
        self.checkpoint("load")

        def load() -> Engine:
            return self.engines.load(
                file, candidate.provider, candidate.layout, self.found.manifest.signature
            )

        # The threads of an engine would stay as slow to get a core as the one that makes them.
        layout = candidate.layout
        has_threads = layout.threads > 1 or layout.lone_threads > 1 or candidate.provider != "cpu"
        return load() if has_threads else self._run(load)

    def prove(self, choice: Choice) -> Proof:
        """Warms the chosen engine up and tests it.

        Raises:
            ConfigurationError: if it does not run, or computes something else.
        """
        precision = choice.candidate.variant.precision
        return self._run(
            lambda: prove(
                choice.engine, self.found, precision, choice.max_batch_size, self.checkpoint
            )
        )

    def _run(self, work: Callable[[], Result]) -> Result:
        return gently(work) if self.gives_way else work()
