"""Classifies a folder of photos with asyncio: `python many_images.py FOLDER [URL]`.

For more than a few thousand photos, `senet-client score` also survives being stopped.
"""

import asyncio
import sys
from pathlib import Path

from senet_client import AsyncClient, Classification


async def main(photos: list[Path], url: str = "http://127.0.0.1:8000") -> None:
    """Prints each photo's best class, or why it has none."""
    async with AsyncClient(url) as client:
        results = client.classify_many(photos, concurrency=4, top_k=1, priority="bulk")
        position = 0
        async for result in results:
            name = photos[position].name
            position += 1
            if isinstance(result, Classification):
                print(f"{name}: {result.predictions[0].label}")
            else:
                print(f"{name}: {result.code}")


if __name__ == "__main__":
    asyncio.run(main(sorted(Path(sys.argv[1]).glob("*.jpg")), *sys.argv[2:]))
