"""Which adapters there are."""

from collections.abc import Callable, Collection, Mapping

from app.transport.http.adapters.adapter import Adapter
from app.transport.http.adapters.huggingface import huggingface_adapter
from app.transport.http.adapters.kserve import kserve_adapter
from app.transport.http.adapters.parts import Parts
from app.transport.http.adapters.sagemaker import sagemaker_adapter
from app.transport.http.adapters.torchserve import torchserve_adapter
from app.transport.http.adapters.v2.routes import v2_adapter
from app.transport.http.adapters.vertex import vertex_adapter


def adapters_of(
    names: Collection[str], parts: Parts, vertex_routes: tuple[str, str]
) -> list[Adapter]:
    """The adapters of these names.

    Args:
        names: as the option `adapters` has them.
        parts: what they are made of.
        vertex_routes: the paths of health and prediction that Vertex AI asks for.
    """
    service, inference = parts.service, parts.inference
    health, predict = vertex_routes
    # Vertex AI's paths are free to choose, and go before all others.
    makers: Mapping[str, Callable[[], Adapter]] = {
        "vertex": lambda: vertex_adapter(
            service, inference, health_route=health, predict_route=predict
        ),
        "v2": lambda: v2_adapter(parts),
        "huggingface": lambda: huggingface_adapter(inference),
        "sagemaker": lambda: sagemaker_adapter(service, inference),
        "kserve": lambda: kserve_adapter(service, inference),
        "torchserve": lambda: torchserve_adapter(service, inference),
    }
    return [make() for name, make in makers.items() if name in names]
