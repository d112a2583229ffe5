"""What a scrape of the metrics gets, in the form it asks for."""

import gzip
import re
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

_OPENMETRICS = "application/openmetrics-text"
_PLAIN = "text/plain"
_QUALITY = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)
# Compressed on the event loop: most of the gain for the least time.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Exposition:
    """All series in one format.

    Attributes:
        body: the text, perhaps compressed.
        headers: what tells a reader of it.
    """

    body: bytes
    headers: dict[str, str]


def expose(registry: Collector, *, accept: str, accept_encoding: str) -> Exposition:
    """Writes the series as OpenMetrics where that is asked for, and else as Prometheus' text.

    OpenMetrics alone has exemplars. Neither has `_created` series, which double their number to
    tell what `process_start_time_seconds` tells.

    Args:
        registry: holds the series.
        accept: the request's Accept header.
        accept_encoding: its Accept-Encoding header; gzip is known.
    """
    shown = _WithoutCreated(registry)
    is_open = quality(accept, _OPENMETRICS) > 0 and (
        quality(accept, _OPENMETRICS) >= quality(accept, _PLAIN)
    )
    # The library's own negotiation knows no preferences.
    write, kind = choose_encoder(_OPENMETRICS if is_open else "")
    body = write(shown)
    headers = {"content-type": kind, "vary": "accept, accept-encoding"}
    if quality(accept_encoding, "gzip") > 0:
        body = gzip.compress(body, compresslevel=_LEVEL)
        headers["content-encoding"] = "gzip"
    return Exposition(body, headers)


def quality(header: str, name: str) -> float:
    """How much a negotiating header wants something: 0 to 1, and 0 if it does not name it.

    Args:
        header: of the form of Accept (RFC 9110, 12.4.2).
        name: what may stand in it, in lower case. Wildcards are not it.
    """
    for item in header.split(","):
        named, *parameters = (part.strip() for part in item.split(";"))
        if named.lower() == name:
            found = [match for part in parameters if (match := _QUALITY.fullmatch(part))]
            return float(found[0][1]) if found else 1.0
    return 0.0


class _WithoutCreated(Collector):
    """The series of another collector, without the moments at which each was made.

    The library can leave these out for a whole process only.
    """

    def __init__(self, inner: Collector) -> None:
        self._inner = inner

    def collect(self) -> Iterable[Metric]:
        """The families, as the library's formats read them."""
        for family in self._inner.collect():
            family.samples = [
                sample for sample in family.samples if not sample.name.endswith("_created")
            ]
            yield family
