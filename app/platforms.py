"""Where cloud platforms tell a container to listen."""

from collections.abc import Mapping, Sequence

from app.contract.errors import ConfigurationError

# Amazon SageMaker starts a container with this argument alone.
_SAGEMAKER_ARGUMENT = "serve"
_EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 - all platforms demand it
_SAGEMAKER_PORT = "8080"
_VERTEX_PORT = "AIP_HTTP_PORT"
# Of Knative and what is made of it, such as Google Cloud Run. Elsewhere a variable of that name may
# be anybody's.
_KNATIVE_SERVICE = "K_SERVICE"
_KNATIVE_PORT = "PORT"
_VERTEX_HEALTH = "AIP_HEALTH_ROUTE"
_VERTEX_PREDICT = "AIP_PREDICT_ROUTE"


def with_platform(environment: Mapping[str, str], arguments: Sequence[str]) -> list[str]:
    """The command line with host and port as the platform says; flags that are given win.

    Args:
        environment: the variables.
        arguments: the command line without the program's name.

    Raises:
        ConfigurationError: if the platform names something that is not a port.
    """
    own = list(arguments)
    if own[:1] == [_SAGEMAKER_ARGUMENT]:
        own = own[1:]
        name = "SAGEMAKER_BIND_TO_PORT"
        port = environment.get(name, _SAGEMAKER_PORT)
    elif _VERTEX_PORT in environment:
        name, port = _VERTEX_PORT, environment[_VERTEX_PORT]
    elif _KNATIVE_SERVICE in environment and _KNATIVE_PORT in environment:
        name, port = _KNATIVE_PORT, environment[_KNATIVE_PORT]
    else:
        return own
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 2**16):
        raise ConfigurationError("port", f"{name}={port} is not a TCP port", f"correct {name}")
    given = {argument.partition("=")[0] for argument in own}
    told = {"--host": _EVERY_INTERFACE, "--port": port}
    return [part for flag in told if flag not in given for part in (flag, told[flag])] + own


def vertex_routes(environment: Mapping[str, str]) -> tuple[str, str]:
    """The paths of health and prediction that Vertex AI asks for, or its own ones' form.

    Args:
        environment: the variables.

    Raises:
        ConfigurationError: if one is not a path.
    """
    routes = []
    for name, default in ((_VERTEX_HEALTH, "/health"), (_VERTEX_PREDICT, "/predict")):
        route = environment.get(name, default)
        if not route.startswith("/") or set(route) & set("{}?# "):
            raise ConfigurationError(name, f"{route!r} is not a path", f"correct {name}")
        routes.append(route)
    return routes[0], routes[1]
