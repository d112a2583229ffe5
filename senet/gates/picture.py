"""A picture of the role of excitation, after the paper's (journal version, section 7.2)."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from senet.gates.block import BlockGates

_COLUMNS = 2
_WIDTH, _HEIGHT = 420, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 28, 26
_LEGEND_LINE = 18
# Okabe and Ito's colours, which the colour-blind tell apart, then darker ones of the same hues.
_COLOURS = (
    "#e69f00", "#56b4e9", "#009e73", "#d8c730", "#0072b2",
    "#d55e00", "#cc79a7", "#8a5f00", "#337a9e", "#00573f",
)  # fmt: skip


def role_of_excitation(
    blocks: Sequence[BlockGates], targets: NDArray[np.int64], names: Sequence[str]
) -> str:
    """Draws the gates of each block, channel by channel: a line for each class, black for all.

    Where the lines lie on each other, excitation does not tell classes apart; where they are
    flat, it does not tell channels apart.

    Args:
        blocks: the gates over the photos.
        targets: int64 [photos], index of each photo's class; empty if they have none.
        names: the classes' names, by index; at most ten are drawn.

    Returns:
        An SVG document.
    """
    drawn = [index for index in range(len(names)) if (targets == index).any()][: len(_COLOURS)]
    rows = -(-len(blocks) // _COLUMNS)
    width, height = _COLUMNS * _WIDTH, rows * _HEIGHT + (len(drawn) + 2) * _LEGEND_LINE
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            ' font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for position, block in enumerate(blocks):
        row, column = divmod(position, _COLUMNS)
        parts.append(f'<g transform="translate({column * _WIDTH} {row * _HEIGHT})">')
        parts += _frame(block)
        parts += [
            _line(block.of_class(targets, index), colour, 1)
            for index, colour in zip(drawn, _COLOURS, strict=False)
        ]
        parts += [_line(block, "black", 1.5), "</g>"]
    legend = [("all photos", "black")]
    legend += [(names[index], colour) for index, colour in zip(drawn, _COLOURS, strict=False)]
    for number, (name, colour) in enumerate(legend):
        y = rows * _HEIGHT + (number + 1) * _LEGEND_LINE
        parts.append(f'<path d="M {_LEFT} {y - 4} h 24" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{_LEFT + 32}" y="{y}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _frame(block: BlockGates) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    title = f"{block.block}: mean {block.mean:.2f}, spread over photos {block.spread:.4f}"
    return [
        f'<text x="{_LEFT}" y="{_TOP - 8}">{escape(title)}</text>',
        f'<path d="M {_LEFT} {_TOP} V {bottom} H {right}" fill="none" stroke="#888"/>',
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 10}" text-anchor="end">1</text>',
        (
            f'<text x="{right}" y="{_HEIGHT - 8}" text-anchor="end">'
            f"channels 0 to {block.values.shape[1] - 1}</text>"
        ),
    ]


def _line(block: BlockGates, colour: str, width: float) -> str:
    gates = block.values.mean(axis=0, dtype=np.float64)
    x = np.linspace(_LEFT, _WIDTH - _RIGHT, len(gates))
    y = _HEIGHT - _BOTTOM - gates * (_HEIGHT - _TOP - _BOTTOM)
    points = " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
