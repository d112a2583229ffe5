"""Classifies one photo: `python one_image.py photo.jpg [URL]`."""

import sys

from senet_client import Client, SenetClientError


def main(photo: str, url: str = "http://127.0.0.1:8000") -> int:
    """Prints the five best classes. Returns the exit code."""
    try:
        with Client(url) as client:
            answer = client.classify(photo, top_k=5)
    except SenetClientError as error:
        print(f"{photo}: {error}", file=sys.stderr)
        return 1
    for prediction in answer.predictions:
        print(f"{prediction.score:7.2%}  {prediction.label}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
