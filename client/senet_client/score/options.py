"""The options of a `score` command, and what of them its rows depend on."""

from dataclasses import dataclass

from senet_client.results import Model
from senet_client.score.journal import Header
from senet_client.score.progress import ProgressKind
from senet_client.score.rows import Shape
from senet_client.score.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The options of the command; `command.py` says what each means."""

    inputs: tuple[str, ...]
    output: str
    work: str = "."
    format: str | None = None
    url: str
    api_key: str | None = None
    column: str = "path"
    top_k: int = 5
    margin: bool = False
    embeddings: bool = False
    keep: tuple[str, ...] = ()
    keep_below: float | None = None
    concurrency: int | None = None
    images_per_request: int = 16
    max_image_bytes: int = 32 * 1024 * 1024
    rows_per_part: int = 1024
    give_up_after: float = 300.0
    resume: bool = False
    retry_errors: bool = False
    overwrite: bool = False
    progress: ProgressKind = "auto"

    @property
    def shape(self) -> Shape:
        """The columns of the rows."""
        return Shape(self.top_k, self.margin, self.embeddings, self.keep)

    def header(self, target: Target, model: Model) -> Header:
        """What must be the same for all rows of an output."""
        # What was not there in earlier versions is named only where it is used.
        added = {
            "margin": self.margin,
            "embeddings": self.embeddings,
            "keep": list(self.keep),
            "keep_below": self.keep_below,
        }
        return {
            "journal": 1,
            "inputs": list(self.inputs),
            "column": self.column,
            "format": target.format,
            "top_k": self.top_k,
            "rows_per_part": self.rows_per_part,
            "max_image_bytes": self.max_image_bytes,
            "model": model.name,
            "version": model.version,
            "precision": model.precision,
            "digest": model.digest,
            "preprocessing": model.preprocessing,
            **{name: value for name, value in added.items() if value not in (False, None, [])},
        }
