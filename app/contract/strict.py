"""The base of everything that a model's files say: what is not known there is an error."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Immutable, and refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
