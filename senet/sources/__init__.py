"""Trained networks from where people have them: `load_source(options)`."""

from senet.sources.load import load_source
from senet.sources.model import SourceModel
from senet.sources.options import PreprocessingOptions, SourceOptions

__all__ = ["PreprocessingOptions", "SourceModel", "SourceOptions", "load_source"]
