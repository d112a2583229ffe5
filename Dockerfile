# The service's images. `docker build .` makes the one for the CPU;
#   --target gpu       CUDA 13 from the pinned wheels; the host brings driver and container toolkit
#   --target tensorrt  that with TensorRT 10, to serve and to build engines
# Models: the default one is inside. Mount your own repository read-only at /models.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
ARG TENSORRT_IMAGE=nvcr.io/nvidia/tensorrt:25.08-py3

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS service
COPY app /app/app
RUN python3 -m compileall -q /app

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS environment
WORKDIR /build
RUN python3 -m venv --without-pip /opt/venv

FROM environment AS build-cpu
COPY requirements/cpu.txt ./
RUN python3 -m pip --python /opt/venv/bin/python3 install --no-cache-dir \
    --only-binary :all: --require-hashes -r cpu.txt

FROM environment AS build-gpu
COPY requirements/gpu.txt ./
RUN python3 -m pip --python /opt/venv/bin/python3 install --no-cache-dir \
    --only-binary :all: --require-hashes -r gpu.txt

# hadolint ignore=DL3006
FROM ${TENSORRT_IMAGE} AS tensorrt-libraries
RUN mkdir -p /opt/tensorrt/lib \
    && cp -a /usr/lib/*-linux-gnu/libnvinfer*.so.10* \
    /usr/lib/*-linux-gnu/libnvonnxparser.so.10* /opt/tensorrt/lib/

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS runtime
ARG VERSION=0.2.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="senet-serving" \
    org.opencontainers.image.description="Image classification with squeeze-and-excitation networks over HTTP" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    SENET_HOST=0.0.0.0 \
    SENET_PORT=8000 \
    SENET_MODEL_REPOSITORY=/models
WORKDIR /app
COPY models /models
COPY deploy/healthcheck.py ./
EXPOSE 8000
# Numeric, so that Kubernetes can prove that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "healthcheck.py"]
ENTRYPOINT ["python3", "-m", "app"]

FROM runtime AS gpu
COPY --from=build-gpu /opt/venv /opt/venv
COPY --from=service /app /app
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cu13/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib

FROM gpu AS tensorrt
COPY --from=tensorrt-libraries /opt/tensorrt/lib /opt/tensorrt/lib
ENV LD_LIBRARY_PATH=/opt/tensorrt/lib:$LD_LIBRARY_PATH \
    SENET_PROVIDER=tensorrt

FROM runtime AS cpu
COPY --from=build-cpu /opt/venv /opt/venv
COPY --from=service /app /app
