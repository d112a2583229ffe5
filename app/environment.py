"""`SENET_*` variables that are not options: misspelt ones, and links to other services.

Kubernetes describes each Service of a namespace to every container there by variables that begin
with the Service's name (https://kubernetes.io/docs/concepts/services-networking/service, after
Docker's links): for a Service `senet-photos` among them `SENET_PHOTOS_SERVICE_HOST=10.0.0.1` and
`SENET_PHOTOS_PORT=tcp://10.0.0.1:8000`. For a Service `senet` the last one is called as our own
option is: SENET_PORT. Docker's own links (`docker run --link senet`, Compose's `links`) add
`SENET_NAME=/web/senet` and the other container's variables, as `SENET_ENV_PATH`.
"""

import difflib
import re
from collections.abc import Collection, Mapping

from app.contract.errors import ConfigurationError

PREFIX = "SENET_"
# Of the client, which may run on the same machine.
_FOREIGN = frozenset({"SENET_API_KEY", "SENET_URL"})
_LINK = r"(?:tcp|udp|sctp)://\S+:\d+"
_NUMBER = r"\d+"
_LINKS = tuple(
    (re.compile(rf"{PREFIX}(?:\w+_)?{name}"), re.compile(value))
    for name, value in (
        ("SERVICE_HOST", r"[0-9A-Fa-f.:]+"),
        ("SERVICE_PORT(?:_\\w+)?", _NUMBER),
        ("PORT(?:_START|_END)?", _LINK),
        ("PORT_\\d+_(?:TCP|UDP|SCTP)(?:_START|_END)?", _LINK),
        ("PORT_\\d+_(?:TCP|UDP|SCTP)_PROTO", "tcp|udp|sctp"),
        ("PORT_\\d+_(?:TCP|UDP|SCTP)_PORT", _NUMBER),
        ("PORT_\\d+_(?:TCP|UDP|SCTP)_ADDR", r"[0-9A-Fa-f.:]+"),
        ("NAME", r"(?:/[\w.-]+){2,}"),
        ("ENV_\\w+", r"(?s:.*)"),
    )
)


def is_service_link(name: str, value: str) -> bool:
    """Whether a variable is one of those by which Kubernetes or Docker describes a service."""
    return any(
        names.fullmatch(name) and values.fullmatch(value.strip()) for names, values in _LINKS
    )


def check_variables(environment: Mapping[str, str], options: Collection[str]) -> None:
    """Refuses variables that look like options and are none.

    Args:
        environment: the process's variables.
        options: the options' names, as in `Settings`.

    Raises:
        ConfigurationError: naming them all, each with the options nearest to it.
    """
    known = {PREFIX + option.upper() for option in options}
    unknown = sorted(
        name
        for name, value in environment.items()
        if name.upper().startswith(PREFIX)
        and name.upper() not in known | _FOREIGN
        and not is_service_link(name, value)
    )
    if unknown:
        raise ConfigurationError(
            "environment",
            "there is no option " + ", ".join(f"{name}{_hint(name, options)}" for name in unknown),
            "correct the name or unset the variable; `python -m app --help` lists the options",
        )


def hidden_options(environment: Mapping[str, str], options: Collection[str]) -> list[str]:
    """Variables that are called as options are but hold a service link, and are not read."""
    names = {PREFIX + option.upper() for option in options}
    return sorted(
        name
        for name, value in environment.items()
        if name in names and is_service_link(name, value)
    )


def _hint(name: str, options: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name[len(PREFIX) :].lower(), sorted(options), n=2)
    names = " or ".join(PREFIX + option.upper() for option in nearest)
    return f" (did you mean {names}?)" if names else ""
