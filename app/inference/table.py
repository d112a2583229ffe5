"""The models that are served: a snapshot, which is replaced whole."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.contract.errors import ModelNotFound
from app.inference.host import ModelHost


@dataclass(frozen=True, slots=True)
class ModelTable:
    """Which host answers for which model and version.

    Attributes:
        hosts: by name and version.
        default: answers where no model is named.
    """

    hosts: Mapping[tuple[str, str], ModelHost]
    default: ModelHost

    @classmethod
    def of(cls, host: ModelHost) -> "ModelTable":
        """The table of one host."""
        return cls({(host.model.name, host.model.version): host}, host)

    def find(self, name: str | None, version: str | None) -> ModelHost:
        """The host that answers.

        Args:
            name: of the model; None for the default.
            version: of the model; None for the version of the default.

        Raises:
            ModelNotFound: if there is none.
        """
        own = self.default.model
        wanted = (
            own.name if name is None else name,
            own.version if version is None else version,
        )
        if (host := self.hosts.get(wanted)) is None:
            served = ", ".join(":".join(key) for key in self.hosts)
            raise ModelNotFound(f"{':'.join(wanted)} is not loaded; {served} is")
        return host
