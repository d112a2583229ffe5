"""Both clients know every code that the service tells a client of."""

import re
from pathlib import Path

from app.contract import errors
from app.transport.http.problems import ANSWERS

ROOT = Path(__file__).parents[1]
# Told before a request reaches the application, and worth another try.
CODES = {error.code for error in ANSWERS} | {"too_many_connections"}
UNAVAILABLE = {error.code for error in ANSWERS if issubclass(error, errors.Unavailable)}


def test_the_python_client() -> None:
    text = (ROOT / "client" / "senet_client" / "errors.py").read_text()
    parents = {}
    for part in text.split("\nclass ")[1:]:
        code = re.search(r'^    code = "(\w+)"', part, re.MULTILINE)
        parent = re.match(r"\w+\((\w+)", part)
        if code and parent:
            parents[code[1]] = parent[1]
    assert parents.keys() >= CODES
    assert {code for code in CODES if parents[code] == "Unavailable"} == (
        UNAVAILABLE | {"too_many_connections"}
    )


def test_the_typescript_client() -> None:
    text = (ROOT / "client-js" / "src" / "errors.ts").read_text()
    classes = dict(re.findall(r'^  \["(\w+)", (\w+)\],$', text, re.MULTILINE))
    parents = dict(re.findall(r"^export class (\w+) extends (\w+)", text, re.MULTILINE))
    assert classes.keys() == CODES
    assert {code for code, kind in classes.items() if parents[kind] == "Unavailable"} == (
        UNAVAILABLE | {"too_many_connections"}
    )
