"""`senet`: training, export and evaluation under one name."""

import importlib
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

_COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "train": ("scripts.train", "train a network on folders of photos"),
        "export": ("scripts.export_onnx", "export a network to the model repository"),
        "evaluate": ("scripts.evaluate", "accuracy of a checkpoint"),
        "compare": ("scripts.compare", "two versions of a model side by side"),
        "score-ray": ("scripts.score_ray", "score images on a Ray cluster"),
        "gates": ("senet.gates.__main__", "what a network's SE gates do over photos"),
    }
)
# What the extras bring, by the names under which it is imported.
_PACKAGES = ("fsspec", "onnx", "onnxruntime", "onnxscript", "pyarrow", "ray", "torch", "tqdm")
_CLIENT = "senet_client"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command that the first argument names; returns the exit code."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    if name not in _COMMANDS:
        sys.stderr.write(f"error: unknown command {name!r}; see senet --help\n")
        return 2
    try:
        module = importlib.import_module(_COMMANDS[name][0])
    except ModuleNotFoundError as error:
        if error.name not in (*_PACKAGES, _CLIENT):
            raise
        extra = "ray, and senet-client with parquet" if name == "score-ray" else "export"
        sys.stderr.write(
            f"error: senet {name} needs {error.name}; install senet-serving with the extras cpu"
            f" and {extra}\n"
        )
        return 2
    return cast("Callable[[list[str]], int]", module.main)(rest)


def _help() -> str:
    lines = [f"  {name:10} {text}" for name, (_, text) in _COMMANDS.items()]
    return "\n".join(
        ["usage: senet COMMAND ...", "", *lines, "", "senet COMMAND --help has the options.", ""]
    )


if __name__ == "__main__":
    sys.exit(main())
