"""The Ray cluster of `score_ray`: joined, or started on this machine alone."""

import argparse
import socket
from pathlib import Path

import ray
import senet_client
from senet_client.score.failures import Stopped, WrongOption

import app
import scripts
from app.engines.onnx_engine import OnnxEngines
from app.hardware import available_cores


def check_cluster(parsed: argparse.Namespace) -> None:
    """Refuses at once what Ray would look or wait for without end.

    Raises:
        ConfigurationError: if this machine is to do it and ONNX Runtime lacks the provider.
        WrongOption: if this machine has too few cores for a worker, or nothing is at the address.
    """
    if parsed.address is None:
        _check_machine(parsed)
    else:
        _check_address(parsed.address)


def connect(parsed: argparse.Namespace) -> None:
    """Joins the cluster, or starts one of this machine's cores.

    Raises:
        Stopped: if it cannot be joined or started, or what is started has no GPU for the workers.
    """
    # "local", for without an address Ray joins a cluster that happens to run here.
    local = {"address": "local", "num_cpus": available_cores()}
    place = {"address": parsed.address} if parsed.address else local
    try:
        ray.init(**place, runtime_env=_runtime_env(parsed), log_to_driver=False)
    except Exception as error:
        # A node that does not start in time raises no class of Ray's own.
        raise Stopped(" ".join(str(error).split())) from error
    if (
        parsed.address is None
        and parsed.provider == "cuda"
        and not ray.cluster_resources().get("GPU")
    ):
        raise Stopped("Ray finds no GPU on this machine")


def _runtime_env(parsed: argparse.Namespace) -> dict[str, object]:
    """What the workers' machines are given besides what they have."""
    given: dict[str, object] = dict(parsed.runtime_env)
    if parsed.send_code:
        modules = given.get("py_modules", [])
        ours = [str(Path(str(package.__file__)).parent) for package in (app, scripts, senet_client)]
        given["py_modules"] = [*(modules if isinstance(modules, list) else []), *ours]
    return given


def _check_machine(parsed: argparse.Namespace) -> None:
    OnnxEngines(parsed.provider).providers()
    cores = available_cores()
    if parsed.cpus_per_worker > cores:
        raise WrongOption(
            "--cpus-per-worker",
            f"{parsed.cpus_per_worker} cores, and this machine has {cores}",
            "lower it, or name a cluster with --address",
        )


def _check_address(address: str) -> None:
    # `auto` is left to Ray, which knows at once.
    host, colon, port = address.rpartition(":")
    if not (colon and port.isascii() and port.isdigit()):
        return
    try:
        socket.create_connection((host.removeprefix("ray://"), int(port)), 5).close()
    except (OSError, OverflowError) as error:
        raise WrongOption(
            "--address",
            f"nothing answers at {address} ({error})",
            "give the host and port of the cluster's head, or auto on one of its nodes",
        ) from error
