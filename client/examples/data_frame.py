"""Adds classes to a table of photos: `python data_frame.py TABLE.csv OUTPUT.csv [URL]`.

The table's column `path` names the photos. Every row stays, also where a photo cannot be read.
"""

import sys

import pandas as pd

from senet_client import Classification, Client, Result


def columns(result: Result) -> dict[str, object]:
    """The columns that one photo adds."""
    if isinstance(result, Classification):
        best = result.predictions[0]
        return {"label": best.label, "score": best.score, "error": None}
    return {"label": None, "score": None, "error": result.code}


def main(table: str, output: str, url: str = "http://127.0.0.1:8000") -> None:
    """Reads the table, classifies and writes."""
    frame = pd.read_csv(table)
    with Client(url) as client:
        results = client.classify_many(frame["path"].astype(str), top_k=1, priority="bulk")
        added = pd.DataFrame([columns(result) for result in results], index=frame.index)
    frame.join(added).to_csv(output, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
