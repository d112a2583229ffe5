"""What is told of models: which are loaded, how they run, and what is being changed."""

import numpy as np
from numpy.typing import NDArray

from app.contract.errors import ModelNotFound, NotReady, OutputNotAvailable
from app.contract.signature import TensorSpec
from app.inference.host import HostState, ModelHost
from app.inference.jobs import Job
from app.inference.models import Models
from app.selection.served_model import ServedModel
from app.transport.http.classify import model_reference
from app.transport.http.schemas import (
    BlockOfClassBody,
    ClassGatesBody,
    GatesBody,
    InputSize,
    JobBody,
    ModelBody,
    ModelStatusBody,
    SelfTestBody,
    TensorBody,
)

_JOBS_TOLD = 10
_MILLISECONDS = 3
_GATE_DIGITS = 3


def model_body(host: ModelHost) -> ModelBody:
    """One version."""
    model = host.model
    size = model.manifest.input
    return ModelBody(
        **model_reference(model),
        state="ready" if host.state is HostState.READY else "draining",
        architecture=model.manifest.architecture,
        provider=model.provider,
        input=InputSize(height=size.height, width=size.width),
        exif_transpose=model.manifest.preprocessing.exif_transpose,
        inputs=[_tensor(spec) for spec in model.signature.inputs],
        outputs=[_tensor(spec) for spec in model.signature.outputs],
        labels=len(model.manifest.labels),
        untrained=model.manifest.untrained,
        threads=model.layout.threads,
        slots=model.layout.slots,
        lone_threads=model.layout.lone_threads,
        max_batch_size=model.max_batch_size,
        chosen_by=model.chosen_by,
        self_test=SelfTestBody(
            difference=model.difference,
            tolerance=model.manifest.golden.tolerance[model.variant.precision],
        ),
        gates=[
            GatesBody(block=gates.block, mean=gates.mean, spread=gates.spread)
            for gates in model.manifest.gates
        ],
    )


def class_gates_body(model: ServedModel, class_index: int) -> ClassGatesBody:
    """The gates of one class.

    Raises:
        InvalidParameter: if there is no such class.
        OutputNotAvailable: if the export did not keep them.
    """
    kept, own = model.manifest.excitations, model.class_gates
    model.check_class(class_index)
    if kept is None or own is None or not kept.photos[class_index]:
        of_what = "class" if kept is None else "class without photos"
        raise OutputNotAvailable(
            f"{model.name}:{model.version} has no gates of a {of_what}; an export with"
            " --excitations keeps them of each class that it has photos of"
        )
    label = model.manifest.labels[class_index]
    return ClassGatesBody(
        class_index=class_index,
        id=label.id,
        label=label.name,
        dataset=kept.dataset,
        photos=kept.photos[class_index],
        blocks={
            block: BlockOfClassBody(mean=_rounded(gates.mean), spread=_rounded(gates.spread))
            for block, gates in own.of(class_index).items()
        },
    )


def job_body(job: Job) -> JobBody:
    """One job."""
    body = JobBody(
        id=job.id, action=job.action, version=job.version, state=job.state, step=job.step
    )
    if job.error is not None:
        body["error"] = str(job.error)
    if job.seconds is not None:
        body["seconds"] = round(job.seconds, _MILLISECONDS)
    return body


def status_body(models: Models, name: str) -> ModelStatusBody:
    """One model.

    Raises:
        ModelNotFound: if nothing is known of it.
        NotReady: the same, if no model is loaded at all.
    """
    table = models.table
    jobs = [job for job, _ in zip(models.jobs.of(name), range(_JOBS_TOLD), strict=False)]
    leaving = [host for host in models.leaving if host.model.name == name]
    route = table.routes.get(name)
    if route is None and not jobs and not leaving:
        try:
            table.find(name, None)
        except NotReady as error:
            raise ModelNotFound(f"{name} is not loaded; {error}") from None
    return ModelStatusBody(
        name=name,
        default=name == table.default_name,
        labels=dict(route.labels) if route else {},
        split=dict(route.split) if route else {},
        shadow=dict(route.shadow) if route else {},
        versions=[
            model_body(host) for host in [*(route.versions.values() if route else ()), *leaving]
        ],
        jobs=[job_body(job) for job in jobs],
    )


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(value, _GATE_DIGITS) for value in values.tolist()]


def _tensor(spec: TensorSpec) -> TensorBody:
    batch, *_ = spec.shape
    return TensorBody(
        name=spec.name, shape=[str(batch), *spec.sizes], dtype=spec.dtype, meaning=spec.meaning
    )
