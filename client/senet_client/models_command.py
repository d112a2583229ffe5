"""The command line's words for models: what is loaded, and changes of that."""

from typing import Annotated

import typer

from senet_client.changes import ModelStatus
from senet_client.command_options import DEFAULT_URL, KeyOption, UrlOption, asking

_Model = Annotated[str, typer.Argument(help="The model's name.")]
_Version = Annotated[str, typer.Argument(help="Its version.")]
_HUNDRED = 100


def add_commands(application: typer.Typer) -> None:
    """Adds them to the application."""

    @application.command()
    def models(
        name: Annotated[str | None, typer.Argument(help="One model, in detail.")] = None,
        url: UrlOption = DEFAULT_URL,
        api_key: KeyOption = None,
    ) -> None:
        """Shows what the service has loaded."""
        with asking(url, api_key) as client:
            if name is not None:
                _show(client.model(name))
                return
            for model in client.models():
                typer.echo(f"{model.name}:{model.version}\t{model.precision}\t{model.architecture}")

    @application.command()
    def load(
        model: _Model,
        version: _Version,
        stable: Annotated[
            bool, typer.Option("--stable", help="Send it all requests once it is ready.")
        ] = False,
        url: UrlOption = DEFAULT_URL,
        api_key: KeyOption = None,
    ) -> None:
        """Loads a version: the service verifies and tests it, while others go on serving."""
        with asking(url, api_key) as client:
            status = client.load(model, version)
            _show(client.set_label(model, "stable", version) if stable else status)

    @application.command()
    def unload(
        model: _Model, version: _Version, url: UrlOption = DEFAULT_URL, api_key: KeyOption = None
    ) -> None:
        """Unloads a version, once its last request is answered."""
        with asking(url, api_key) as client:
            _show(client.unload(model, version))

    @application.command()
    def label(
        model: _Model,
        name: Annotated[str, typer.Argument(help="stable or canary")],
        version: _Version,
        url: UrlOption = DEFAULT_URL,
        api_key: KeyOption = None,
    ) -> None:
        """Lets a label point to a version; where stable points, all requests go."""
        with asking(url, api_key) as client:
            _show(client.set_label(model, name, version))

    @application.command()
    def split(
        model: _Model,
        weights: Annotated[list[str], typer.Argument(help="VERSION=WEIGHT ..., which sum to 100")],
        url: UrlOption = DEFAULT_URL,
        api_key: KeyOption = None,
    ) -> None:
        """Divides the requests that are for no version."""
        shares = {}
        for text in weights:
            version, _, weight = text.partition("=")
            if not (weight.isascii() and weight.isdigit()) or version in shares:
                raise typer.BadParameter(f"{text!r} is not VERSION=WEIGHT, or is repeated")
            shares[version] = int(weight)
        if sum(shares.values()) != _HUNDRED:
            raise typer.BadParameter(f"the weights sum to {sum(shares.values())}, not to 100")
        with asking(url, api_key) as client:
            _show(client.split(model, shares))


def _show(status: ModelStatus) -> None:
    for version, state in status.versions.items():
        marks = [label for label, target in status.labels.items() if target == version]
        if status.split:
            marks.append(f"{status.split.get(version, 0)} %")
        typer.echo("\t".join([f"{status.name}:{version}", state, ", ".join(marks)]).rstrip())
    if not status.versions:
        typer.echo(f"{status.name}: no version is loaded")
