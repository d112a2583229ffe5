"""Series that are read from the machine when somebody scrapes them."""

from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


@dataclass(frozen=True, slots=True)
class Family:
    """One series by its name.

    Attributes:
        name: without the `_total` of a counter.
        text: what it means.
        is_counter: whether it only grows.
        labels: names of its labels.
    """

    name: str
    text: str
    is_counter: bool = False
    labels: tuple[str, ...] = ()

    def empty(self) -> CounterMetricFamily | GaugeMetricFamily:
        """The family without a value, as the registry reads it."""
        make = CounterMetricFamily if self.is_counter else GaugeMetricFamily
        return make(self.name, self.text, labels=self.labels)

    def of(self, value: float, *labels: str) -> CounterMetricFamily | GaugeMetricFamily:
        """The family with one value."""
        family = self.empty()
        family.add_metric(labels, value)
        return family
