"""Which adapters there are."""

from collections.abc import Callable, Collection, Mapping

from app.inference.service import Service
from app.transport.http.adapters.adapter import Adapter
from app.transport.http.adapters.huggingface import huggingface_adapter
from app.transport.http.adapters.inference import Inference
from app.transport.http.adapters.v2.routes import v2_adapter


def adapters_of(names: Collection[str], service: Service, inference: Inference) -> list[Adapter]:
    """The adapters of these names.

    Args:
        names: as the option `adapters` has them.
        service: whose state and models they tell.
        inference: classifies for them.
    """
    makers: Mapping[str, Callable[[], Adapter]] = {
        "v2": lambda: v2_adapter(service, inference),
        "huggingface": lambda: huggingface_adapter(inference),
    }
    return [make() for name, make in makers.items() if name in names]
