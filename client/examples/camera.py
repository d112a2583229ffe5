"""Classifies a live picture: `python camera.py FRAMES [URL]`.

Here the camera is a drawing of a moving disc; with OpenCV it would be
`Image.fromarray(cv2.VideoCapture(0).read()[1][..., ::-1])`.

A live picture must not queue: each frame gets a deadline, and whatever cannot be answered by then
is dropped for the next one.
"""

import sys
from collections.abc import Iterator

from PIL import Image, ImageDraw

from senet_client import Client, Retries, errors

DEADLINE_SECONDS = 0.5


def frames(count: int) -> Iterator[Image.Image]:
    """What the camera sees."""
    for number in range(count):
        frame = Image.new("RGB", (320, 240), "skyblue")
        left = number * 10 % 280
        ImageDraw.Draw(frame).ellipse((left, 100, left + 40, 140), fill="white")
        yield frame


def main(count: str, url: str = "http://127.0.0.1:8000") -> None:
    """Prints what each frame shows."""
    # A frame that was refused is old news: no retries.
    with Client(url, retries=Retries(attempts=1)) as client:
        for number, frame in enumerate(frames(int(count))):
            try:
                answer = client.classify(frame, top_k=1, timeout=DEADLINE_SECONDS)
            except (errors.Unavailable, errors.DeadlineExceeded, errors.TimedOut) as error:
                print(f"frame {number}: dropped ({error.code})")
                continue
            print(f"frame {number}: {answer.predictions[0].label}")


if __name__ == "__main__":
    main(*sys.argv[1:])
