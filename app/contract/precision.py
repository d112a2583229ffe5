"""The number formats that a model is published in."""

from typing import Literal

Precision = Literal["fp32", "fp16", "int8"]
