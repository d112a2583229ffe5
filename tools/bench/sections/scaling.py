"""Throughput against cores, images in a request, size of the photo."""

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from app.contract.manifest import Preprocessing
from app.contract.preprocess import preprocess
from tools.bench.bare import Bare
from tools.bench.peer import MAX_PIXELS
from tools.bench.plan import Session
from tools.bench.report import Table
from tools.bench.rounds import interleave, median_ratio
from tools.bench.subject import Subject
from tools.loadtools.bodies import Bodies, multipart, raw
from tools.loadtools.pictures import SIZES, describe
from tools.loadtools.process import Server

_DECODES = 5


def measure(session: Session, subject: Subject) -> None:
    """Adds the three tables."""
    _cores(session, subject)
    with subject.as_shipped() as server:
        _images_a_request(session, subject, server)
        _photo_size(session, subject, server)


def core_counts(available: int) -> list[int]:
    """1, 2, 4, ... and all."""
    counts = [2**power for power in range(available.bit_length()) if 2**power < available]
    return [*counts, available]


def _cores(session: Session, subject: Subject) -> None:
    photos = session.photos.usual
    cores = sorted(os.sched_getaffinity(0))
    rows = []
    for count in core_counts(len(cores)):
        with (
            subject.as_shipped(cores[:count]) as server,
            subject.bare(photos, count) as bare,
        ):
            rates = _beside_bare(session, server, bare, raw(photos))
        name = f"{subject.name}/cores/{count}"
        rate = session.record(f"{name}/service", rates["service"])
        alone = session.record(f"{name}/bare", rates["bare"])
        ratio = median_ratio(rates["service"], rates["bare"])
        rows.append((str(count), alone, rate, ratio, rate / count))
    session.report.tables.append(
        Table(
            f"{subject.model}: throughput against cores",
            "The service as shipped, kept on so many cores; the bare loop in"
            f" {subject.precision} with as many processes. With the last row wrk shares its cores.",
            ("cores", "bare images/s", "service images/s", "ratio", "service images/s a core"),
            rows,
        )
    )


def _images_a_request(session: Session, subject: Subject, server: Server) -> None:
    rows = []
    for count in (1, 8, 64):
        bodies = multipart(session.photos.usual, count, session.photos.folder)
        rates, latencies = [], []
        for _ in range(session.plan.rounds):
            run = session.closed(
                server.form_url, server, bodies, clients=1, seconds=session.plan.closed
            )
            rates.append(run.rate * count)
            latencies.append(run.p50_ms)
        rate = session.record(f"{subject.name}/images_a_request/{count}", rates)
        rows.append((str(count), rate, statistics.median(latencies)))
    session.report.tables.append(
        Table(
            f"{subject.model}: one client, by images in a request",
            "The service as shipped, multipart.",
            ("images", "images/s", "median ms a request"),
            rows,
        )
    )


def _photo_size(session: Session, subject: Subject, server: Server) -> None:
    rows = []
    for size in SIZES:
        photos = session.photos.of(size)
        rates = [
            session.closed(
                server.url, server, raw(photos), clients=session.clients,
                seconds=session.plan.short,
            ).rate
            for _ in range(session.plan.rounds)
        ]  # fmt: skip
        rate = session.record(f"{subject.name}/photo/{size[0]}x{size[1]}", rates)
        decode = _decode_ms(photos, subject.version.manifest.preprocessing)
        session.report.figures[f"{subject.name}/decode_ms/{size[0]}x{size[1]}"] = decode
        rows.append((describe(photos), rate, decode))
    session.report.tables.append(
        Table(
            f"{subject.model}: by size of the photo",
            f"The service as shipped, raw bodies, {session.clients} clients. Decoding is the"
            " processor time of `preprocess` for one photo, alone.",
            ("photos", "images/s", "decoding, ms"),
            rows,
        )
    )


def _beside_bare(
    session: Session, server: Server, bare: Bare, bodies: Bodies
) -> dict[str, list[float]]:
    def loop() -> float:
        done = bare.run(session.plan.short)
        return done.images / done.seconds

    def serve() -> float:
        return session.closed(
            server.url, server, bodies, clients=session.clients, seconds=session.plan.short
        ).rate

    bare.run(session.plan.warm)
    session.closed(server.url, server, bodies, clients=session.clients, seconds=session.plan.warm)
    return interleave({"bare": loop, "service": serve}, session.plan.rounds)


def _decode_ms(photos: Sequence[Path], preprocessing: Preprocessing) -> float:
    """Processor time of one photo, the least of a few: what disturbs only adds."""
    contents = [photo.read_bytes() for photo in photos]
    times = []
    for _ in range(_DECODES):
        began = time.process_time()
        for content in contents:
            preprocess(content, preprocessing, max_pixels=MAX_PIXELS)
        times.append(time.process_time() - began)
    return 1000 * min(times) / len(contents)
