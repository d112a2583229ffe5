"""Only variants that are accurate enough, and layouts that use the cores, are candidates."""

from typing import Any

import pytest

from app.contract.manifest import Manifest
from app.engines.engine import Layout
from app.selection.candidates import accurate_variants, cpu_layouts, cpu_variants, gpu_variant
from tests.support.repository import colour_manifest

TOP1: dict[str, Any] = {"dataset": "photos", "images": 1000, "top5": 1.0}


def manifest(**variants: dict[str, Any]) -> Manifest:
    """A manifest with variants of the precisions and the properties given."""
    content = colour_manifest()
    [first] = content["variants"]
    content["variants"] = [
        first | {"precision": precision} | properties for precision, properties in variants.items()
    ]
    content["golden"]["tolerance"] = dict.fromkeys(variants, 1.0)
    return Manifest.model_validate(content)


def accuracy(top1: float) -> dict[str, Any]:
    return {"accuracy": TOP1 | {"top1": top1}}


def agreement(share: float) -> dict[str, Any]:
    return {"parity": {"reference": "fp32", "max_abs_logit_diff": 1.0, "top1_agreement": share}}


def allowed(of: Manifest, drop: float) -> list[str]:
    return [variant.precision for variant in accurate_variants(of, drop)]


def test_a_variant_may_lose_what_is_allowed() -> None:
    model = manifest(int8=accuracy(0.896), fp16=accuracy(0.902), fp32=accuracy(0.9))
    assert allowed(model, 0.5) == ["fp32", "fp16", "int8"]
    assert allowed(model, 0.3) == ["fp32", "fp16"]
    assert allowed(model, 0) == ["fp32", "fp16"]


def test_without_accuracy_the_answers_that_differ_count_as_lost() -> None:
    model = manifest(fp32={}, fp16=agreement(0.999), int8=agreement(0.99))
    assert allowed(model, 0.5) == ["fp32", "fp16"]
    assert allowed(model, 1.5) == ["fp32", "fp16", "int8"]


def test_accuracies_on_different_images_do_not_compare() -> None:
    other = {"accuracy": TOP1 | {"top1": 0.95, "dataset": "other photos"}}
    model = manifest(fp32=accuracy(0.9), int8=other | agreement(0.9))
    assert allowed(model, 0.5) == ["fp32"]


def test_what_is_likely_the_fastest_comes_first() -> None:
    model = manifest(fp32=accuracy(0.9), fp16=accuracy(0.9), int8=accuracy(0.9))
    assert [variant.precision for variant in cpu_variants(model, 0.5)] == ["int8", "fp32"]


def test_a_model_in_fp16_alone_runs_as_it_is() -> None:
    assert [variant.precision for variant in cpu_variants(manifest(fp16={}), 0.5)] == ["fp16"]


@pytest.mark.parametrize(
    ("cores", "fixed", "expected"),
    [
        (1, 0, [(1, 1)]),
        (2, 0, [(2, 2), (1, 2)]),
        (3, 0, [(3, 2), (1, 3)]),
        (4, 0, [(4, 2), (2, 2), (1, 4)]),
        (6, 0, [(6, 2), (4, 2), (1, 6)]),
        (8, 0, [(8, 2), (4, 2), (1, 8)]),
        (16, 0, [(16, 2), (4, 4), (1, 16)]),
        (8, 3, [(3, 2)]),
        (2, 5, [(2, 2)]),
    ],
)
def test_layouts(cores: int, fixed: int, expected: list[tuple[int, int]]) -> None:
    assert cpu_layouts(cores, fixed) == [Layout(threads, slots) for threads, slots in expected]


@pytest.mark.parametrize(
    ("fp16", "drop", "chosen"),
    [(0.899, 0.5, "fp16"), (0.88, 0.5, "fp32"), (0.88, 2.1, "fp16"), (0.9, 0.0, "fp16")],
)
def test_on_a_gpu_fp16_serves_where_it_is_accurate_enough(
    fp16: float, drop: float, chosen: str
) -> None:
    model = manifest(int8=accuracy(0.9), fp32=accuracy(0.9), fp16=accuracy(fp16))
    assert gpu_variant(model, drop).precision == chosen


def test_on_a_gpu_the_only_variant_serves() -> None:
    assert gpu_variant(manifest(int8=accuracy(0.9)), 0.0).precision == "int8"
