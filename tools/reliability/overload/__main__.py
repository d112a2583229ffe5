"""`python -m tools.reliability.overload`."""

import argparse
import os
import sys

import uvloop

import tools.reliability.overload
from tools.loadtools.command import run
from tools.loadtools.generator import Generator
from tools.loadtools.process import Server, service
from tools.reliability.corpus.pictures import encode, picture
from tools.reliability.overload.bursts import bursts, measured_capacity
from tools.reliability.overload.neighbours import fairness, priorities

_TABLES = ("bursts", "priorities", "fairness")


async def overload(server: Server, options: argparse.Namespace) -> None:
    """Prints the tables that were asked for."""
    image = encode(picture(*options.size), "JPEG", quality=85)
    generator = Generator(server, [image])
    capacity = await measured_capacity(generator, options.seconds)
    if "bursts" in options.tables:
        await bursts(generator, capacity, options.seconds)
    if "priorities" in options.tables:
        await priorities(server, generator, capacity, options.seconds)
    if "fairness" in options.tables:
        await fairness(server, image, capacity, options.seconds, options.in_flight)


def main() -> int:
    """Runs the command; the exit code is the service's."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.reliability.overload", description=tools.reliability.overload.__doc__
    )
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--size", type=int, nargs=2, default=(320, 240), help="of the image")
    parser.add_argument("--tables", nargs="+", choices=_TABLES, default=_TABLES)
    parser.add_argument(
        "--in-flight", type=int, default=1000, help="images that the greedy caller has under way"
    )
    parser.add_argument(
        "--share-cores", action="store_true",
        help="let the service have the generator's core as well; by default the generator, which"
        " is not part of a service's load, has one to itself where there are several",
    )  # fmt: skip
    parser.add_argument("service", nargs="*", help="options of the service, after --")
    options = parser.parse_args()
    *cores, last = sorted(os.sched_getaffinity(0))
    apart = bool(cores) and not options.share_cores
    with service(
        ["--log-level", "error", *options.service],
        port=options.port,
        cores=cores if apart else (),
        tells=True,
    ) as server:
        if apart:
            os.sched_setaffinity(0, {last})
        print(f"cores of the service: {len(cores) if apart else len(cores) + 1}")
        uvloop.run(overload(server, options))
    return server.exit_code or 0


if __name__ == "__main__":
    sys.exit(run(main))
