"""Draws the examples of the page at `/`: things that the default model knows, and nobody's photos.

python -m scripts.draw_examples [FOLDER]
"""

import json
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

FOLDER = Path(__file__).parents[1] / "app" / "transport" / "http" / "demo" / "static"
WIDTH, HEIGHT = 480, 360
_SCALE = 3
_QUALITY = 80

Colour = tuple[int, int, int]


class Canvas:
    """A picture that is drawn larger than it will be, with coordinates of its final size."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        ramp = np.linspace(0, 1, HEIGHT * _SCALE)[:, None, None]
        rows = (1 - ramp) * np.array(top) + ramp * np.array(bottom)
        pixels = np.broadcast_to(rows, (HEIGHT * _SCALE, WIDTH * _SCALE, 3))
        self.image = Image.fromarray(pixels.astype(np.uint8))
        self._draw = ImageDraw.Draw(self.image)

    def polygon(self, colour: Colour, *points: tuple[float, float]) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=colour)

    def box(self, colour: Colour, left: float, top: float, right: float, bottom: float) -> None:
        """A filled rectangle."""
        self.polygon(colour, (left, top), (right, top), (right, bottom), (left, bottom))

    def disc(self, colour: Colour, x: float, y: float, radius: float, stretch: float = 1) -> None:
        """A filled ellipse whose height is `stretch` times its width."""
        tall = radius * stretch
        edges = (x - radius, y - tall, x + radius, y + tall)
        self._draw.ellipse([edge * _SCALE for edge in edges], fill=colour)

    def line(self, colour: Colour, width: float, *points: tuple[float, float]) -> None:
        """A line through points."""
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(scaled, fill=colour, width=round(width * _SCALE), joint="curve")

    def shade(self, x: float, y: float, radius: float, strength: float) -> None:
        """Light from the upper left on a ball."""
        rows, columns = np.mgrid[0 : HEIGHT * _SCALE, 0 : WIDTH * _SCALE] / _SCALE
        inside = np.hypot(columns - x, rows - y) < radius
        away = np.hypot(columns - x + radius * 0.4, rows - y + radius * 0.45) / (1.6 * radius)
        factor = np.where(inside, 1 - strength * np.clip(away, 0, 1) ** 2, 1)
        lit = np.asarray(self.image) * factor[..., None]
        self.image.paste(Image.fromarray(lit.astype(np.uint8)))

    def grain(self, amount: float, seed: int, top: float = 0, blur: float = 1.2) -> None:
        """Texture below a height, as grass or gravel have it; the same at every call."""
        noise = np.random.default_rng(seed).normal(0, amount, (HEIGHT * _SCALE, WIDTH * _SCALE))
        soft = Image.fromarray(noise.astype(np.float32)).filter(ImageFilter.GaussianBlur(0))
        field = np.array(soft)
        field[: round(top * _SCALE)] = 0
        grey = Image.fromarray(np.clip(field + 128, 0, 255).astype(np.uint8))
        grey = grey.filter(ImageFilter.GaussianBlur(blur * _SCALE))
        rough = ImageChops.add(self.image, Image.merge("RGB", [grey] * 3), 1, -128)
        self.image.paste(rough)

    def finished(self) -> Image.Image:
        """The picture in its final size."""
        return self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def church() -> Image.Image:
    """A village church with its tower."""
    canvas = Canvas((96, 150, 214), (206, 226, 244))
    for x, y, radius in ((70, 70, 26), (100, 62, 32), (140, 74, 24), (390, 96, 22), (420, 90, 28)):
        canvas.disc((236, 242, 248), x, y, radius, 0.6)
    canvas.box((92, 128, 64), 0, 296, WIDTH, HEIGHT)
    canvas.grain(110, 3, top=296)
    for x in (20, 60, 430, 465):
        canvas.disc((58, 92, 50), x, 280, 34, 1.15)
    wall, dark, roof = (226, 216, 198), (196, 184, 164), (120, 70, 58)
    canvas.box(wall, 210, 196, 390, 308)
    canvas.polygon(roof, (196, 200), (404, 200), (372, 140), (228, 140))
    canvas.box(wall, 128, 128, 206, 308)
    canvas.box(dark, 188, 128, 206, 308)
    canvas.polygon((86, 62, 62), (120, 130), (214, 130), (167, 26))
    canvas.polygon((66, 46, 48), (167, 26), (214, 130), (180, 130))
    canvas.line((60, 52, 40), 3, (167, 6), (167, 28))
    canvas.line((60, 52, 40), 3, (159, 13), (175, 13))
    for x in (236, 274, 312, 350):
        canvas.box((54, 62, 84), x, 226, x + 16, 276)
        canvas.disc((54, 62, 84), x + 8, 226, 8)
    canvas.box((50, 58, 78), 156, 150, 178, 186)
    canvas.disc((50, 58, 78), 167, 150, 11)
    canvas.disc((240, 238, 226), 167, 212, 13)
    canvas.line((40, 40, 40), 2, (167, 212), (167, 203))
    canvas.line((40, 40, 40), 2, (167, 212), (174, 215))
    canvas.box((84, 54, 36), 153, 256, 181, 308)
    canvas.disc((84, 54, 36), 167, 256, 14)
    canvas.polygon((176, 164, 140), (150, 308), (184, 308), (250, HEIGHT), (120, HEIGHT))
    return canvas.finished()


def golf_ball() -> Image.Image:
    """A golf ball on a tee in the grass."""
    canvas = Canvas((70, 120, 52), (88, 146, 62))
    canvas.grain(240, 5, blur=0.8)
    x, y, radius = 240, 168, 112
    canvas.polygon((214, 178, 120), (222, 262), (258, 262), (246, HEIGHT), (234, HEIGHT))
    canvas.disc((226, 192, 136), 240, 270, 26, 0.4)
    canvas.disc((246, 246, 244), x, y, radius)
    for row in range(-9, 10):
        for column in range(-9, 10):
            u = (column + (row % 2) / 2) / 7.6
            v = row * 0.87 / 7.6
            far = np.hypot(u, v)
            if far < 0.97:
                # A step on the ball's surface looks shorter near its edge.
                squeeze = np.sin(far * np.pi / 2) / max(far, 1e-6)
                px, py = x + u * squeeze * radius, y + v * squeeze * radius
                size = 6.0 * np.cos(far * np.pi / 2 * 0.85)
                canvas.disc((206, 208, 210), px, py, size)
                canvas.disc((230, 231, 232), px + size * 0.25, py + size * 0.3, size * 0.72)
    canvas.shade(x, y, radius, 0.42)
    rng = np.random.default_rng(11)
    for _ in range(420):
        left, low = rng.uniform(0, WIDTH), rng.uniform(300, HEIGHT + 20)
        green = (int(rng.uniform(50, 90)), int(rng.uniform(110, 170)), int(rng.uniform(36, 70)))
        canvas.line(green, 2, (left, low), (left + rng.uniform(-9, 9), low - rng.uniform(16, 42)))
    return canvas.finished()


def parachute() -> Image.Image:
    """A round canopy high in the sky, and who hangs from it."""
    canvas = Canvas((58, 116, 196), (172, 208, 238))
    x, y, radius = 240, 150, 128
    colours = ((214, 60, 50), (244, 240, 232))
    edges = np.linspace(-1, 1, 11)
    for index, (left, right) in enumerate(pairwise(edges)):
        angle = np.linspace(0, np.pi / 2, 24)
        rim = y + 8 + 10 * abs(left + right) / 2
        outer = [(x + radius * left * np.sin(a), y - radius * 0.86 * np.cos(a)) for a in angle]
        inner = [(x + radius * right * np.sin(a), y - radius * 0.86 * np.cos(a)) for a in angle]
        middle = (x + radius * (left + right) / 2, rim - 14)
        canvas.polygon(colours[index % 2], *outer, middle, *inner[::-1])
    for edge in edges:
        canvas.line((70, 74, 84), 1, (x + radius * edge, y), (x + edge * 8, 284))
    canvas.disc((52, 56, 66), x, 286, 8)
    canvas.box((46, 50, 60), x - 8, 294, x + 8, 320)
    canvas.line((46, 50, 60), 4, (x - 4, 318), (x - 7, 340))
    canvas.line((46, 50, 60), 4, (x + 4, 318), (x + 7, 340))
    canvas.line((46, 50, 60), 4, (x - 8, 298), (x - 14, 282))
    canvas.line((46, 50, 60), 4, (x + 8, 298), (x + 14, 282))
    return canvas.finished()


def gas_pump() -> Image.Image:
    """An old pump beside a road."""
    canvas = Canvas((168, 196, 216), (214, 222, 226))
    canvas.box((128, 126, 120), 0, 300, WIDTH, HEIGHT)
    canvas.grain(60, 4, top=300)
    canvas.box((206, 198, 184), 0, 120, 120, 300)
    canvas.box((118, 140, 158), 18, 150, 98, 220)
    red, dark, light = (196, 40, 38), (150, 28, 30), (238, 236, 230)
    canvas.box((96, 94, 92), 168, 306, 318, 326)
    canvas.box(red, 180, 86, 306, 310)
    canvas.box(dark, 290, 86, 306, 310)
    canvas.disc(light, 243, 56, 34)
    canvas.disc(red, 243, 56, 24)
    canvas.box(light, 230, 46, 256, 66)
    canvas.box(light, 196, 104, 276, 168)
    for row, width in ((112, 60), (132, 60), (150, 40)):
        canvas.box((40, 44, 48), 206, row, 206 + width, row + 12)
        for digit in range(4):
            canvas.box((236, 236, 226), 209 + digit * 14, row + 3, 216 + digit * 14, row + 9)
    canvas.box(light, 196, 192, 276, 290)
    canvas.box(red, 204, 200, 268, 282)
    canvas.box((60, 62, 66), 306, 150, 320, 196)
    canvas.line((38, 38, 40), 6, (318, 176), (340, 190), (352, 240), (338, 292), (318, 300))
    canvas.line((70, 72, 76), 9, (312, 152), (330, 132), (344, 140))
    return canvas.finished()


def garbage_truck() -> Image.Image:
    """A truck that collects rubbish, from its side."""
    canvas = Canvas((176, 204, 228), (222, 230, 234))
    canvas.box((150, 146, 138), 0, 96, WIDTH, 260)
    for x in range(0, WIDTH, 60):
        canvas.box((108, 122, 138), x + 12, 116, x + 44, 166)
    canvas.box((104, 104, 106), 0, 260, WIDTH, HEIGHT)
    canvas.grain(60, 8, top=260)
    green, dark, cab = (52, 128, 70), (38, 98, 54), (236, 238, 238)
    canvas.polygon(green, (60, 92), (300, 86), (312, 256), (60, 256))
    canvas.polygon(dark, (24, 120), (64, 92), (64, 262), (36, 268), (18, 200))
    for x in range(96, 300, 34):
        canvas.line(dark, 4, (x, 90), (x, 254))
    canvas.box(dark, 60, 228, 312, 256)
    canvas.polygon(cab, (322, 124), (404, 124), (430, 190), (434, 262), (322, 262))
    canvas.polygon((70, 92, 112), (346, 138), (396, 138), (416, 188), (346, 188))
    canvas.box((52, 54, 58), 40, 256, 436, 274)
    canvas.box((246, 190, 60), 420, 236, 436, 250)
    canvas.box((240, 150, 40), 340, 112, 366, 124)
    for x in (110, 164, 384):
        canvas.disc((30, 30, 32), x, 280, 32)
        canvas.disc((150, 152, 156), x, 280, 15)
        canvas.disc((60, 62, 64), x, 280, 6)
    return canvas.finished()


def cassette_player() -> Image.Image:
    """A portable cassette player with two speakers."""
    canvas = Canvas((186, 164, 134), (150, 122, 92))
    canvas.grain(30, 6, blur=2)
    canvas.box((40, 42, 46), 50, 96, 430, 290)
    canvas.box((64, 66, 72), 50, 96, 430, 108)
    canvas.line((58, 60, 66), 12, (90, 96), (90, 58), (390, 58), (390, 96))
    for x in (122, 358):
        canvas.disc((22, 22, 24), x, 200, 62)
        canvas.disc((90, 92, 96), x, 200, 56)
        canvas.disc((34, 34, 38), x, 200, 50)
        for ring in range(44, 10, -7):
            canvas.disc((34 + ring % 2 * 18, 36, 40), x, 200, ring)
            canvas.disc((52, 54, 58), x, 200, ring - 3)
        canvas.disc((20, 20, 22), x, 200, 14)
    canvas.box((196, 198, 200), 192, 150, 288, 226)
    canvas.box((28, 30, 34), 200, 158, 280, 218)
    canvas.box((228, 222, 206), 206, 170, 274, 206)
    for x in (224, 256):
        canvas.disc((30, 30, 32), x, 190, 11)
        canvas.disc((230, 230, 226), x, 190, 5)
    for x in range(192, 288, 17):
        canvas.box((206, 208, 210), x, 240, x + 13, 256)
    canvas.box((206, 202, 190), 74, 114, 406, 134)
    for x in range(84, 400, 14):
        canvas.line((60, 60, 60), 1, (x, 118), (x, 130))
    canvas.line((210, 50, 40), 2, (260, 115), (260, 133))
    return canvas.finished()


DRAWN: Mapping[str, Callable[[], Image.Image]] = {
    "church": church,
    "golf ball": golf_ball,
    "parachute": parachute,
    "gas pump": gas_pump,
    "garbage truck": garbage_truck,
    "cassette player": cassette_player,
}


def main(arguments: list[str]) -> None:
    """Writes the pictures and the list of them that the page reads."""
    folder = Path(arguments[0]) if arguments else FOLDER
    listed = []
    for label, draw in DRAWN.items():
        name = f"examples/{label.replace(' ', '-')}.jpg"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw().save(path, quality=_QUALITY, optimize=True)
        listed.append({"file": name, "label": label})
    (folder / "examples.json").write_text(json.dumps(listed) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
