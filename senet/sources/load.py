"""One entrance for every kind of source."""

from senet.sources.model import SourceModel
from senet.sources.options import SourceOptions


def load_source(options: SourceOptions) -> SourceModel:
    """Loads the network that `options` names, with its preprocessing and labels.

    Raises:
        ConfigurationError: if the options contradict each other, or a file is not what they
            say.
    """
    raise NotImplementedError
