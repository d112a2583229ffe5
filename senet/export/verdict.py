"""Which variants are worth publishing: near to fp32, faster, and testable."""

from app.contract.manifest import Precision
from senet.export.assess import Figures
from senet.export.chance import interval
from senet.export.order import Order


def reasons_against(
    precision: Precision,
    figures: Figures,
    *,
    order: Order,
    speed_ratio: float,
    tolerance: float,
    variation: float,
) -> tuple[str, ...]:
    """Why a variant is left out; empty if it is published.

    Args:
        precision: of the variant; not fp32.
        figures: what was measured of it.
        order: says what is asked of it.
        speed_ratio: images per second, as a multiple of fp32's.
        tolerance: of its golden self-test.
        variation: see `senet.export.untrained.variation`, of the golden logits.
    """
    found: list[str] = []
    agreement = figures.parity.top1_agreement
    _, at_most = interval(agreement, figures.photos)
    if at_most < order.min_agreement:
        found.append(
            f"it agrees with fp32 on {agreement:.1%} of {figures.photos} photos (at most"
            f" {at_most:.1%} with 95 % confidence), and --min-agreement is"
            f" {order.min_agreement:.0%}"
        )
    flips = figures.flips
    if flips is not None and 100 * flips.drop > order.max_accuracy_drop and flips.beyond_chance:
        found.append(
            f"top-1 falls by {100 * flips.drop:.2f} points on {flips.photos} photos"
            f" ({flips.lost} lost, {flips.gained} gained), more than chance, and"
            f" --max-accuracy-drop is {order.max_accuracy_drop:g}"
        )
    # Logits of random weights vary too little for any self-test.
    if not order.allow_untrained and not 2 * tolerance <= variation:
        found.append(
            f"its golden self-test would have to allow a difference of {tolerance:.2g}, and a"
            f" constant answer is {variation:.2g} away: it could not tell a broken file"
        )
    # fp16 is for GPUs, and signed activations for TensorRT: a CPU says nothing of their speed.
    on_cpu = precision == "int8" and order.int8_layout == "u8s8"
    if on_cpu and speed_ratio < order.min_speedup:
        found.append(
            f"it runs at {speed_ratio:.2f} times the speed of fp32 on this machine, and"
            f" --min-speedup is {order.min_speedup:g}"
        )
    return tuple(found)
