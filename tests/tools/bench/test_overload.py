from tools.bench.sections.overload import left
from tools.loadtools.generator import Load


def test_what_the_generator_takes_more_is_no_capacity_of_the_service() -> None:
    calm = Load(seconds=1, latencies=[(0.0, 0.1)] * 190, busy=0.1)
    over = Load(seconds=1, latencies=[(0.0, 0.1)] * 100, busy=0.2)

    assert left(calm, over, cores=2) == 190 * 1.8 / 1.9
