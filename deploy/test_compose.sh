#!/usr/bin/env bash
# Brings the compose file's service and Prometheus up with podman-compose, and asks Prometheus for the
# service. Run deploy/test_image.sh with KEEP=DIR first, and this with the same KEEP. Prometheus'
# image is made of the Debian package, for where the public one cannot be pulled.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${KEEP:?the folder that deploy/test_image.sh left its images in}"
work=$(mktemp -d)
storage="--storage-driver overlay --root $KEEP/root --runroot $KEEP/run"
export CONTAINERS_CONF=$work/containers.conf
printf '[engine]\ncgroup_manager="cgroupfs"\nruntime="runc"\n' >"$CONTAINERS_CONF"
cat >"$work/override.yml" <<'YAML'
services:
  senet: &host
    network_mode: host
    ulimits: {nofile: 4096, nproc: 4096}
    healthcheck: {disable: true}
    extra_hosts: ["senet:127.0.0.1", "alertmanager:127.0.0.1"]
  prometheus:
    <<: *host
YAML
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet podman-compose
export PATH=$work/venv/bin:$PATH
compose() {
    podman-compose --podman-args "$storage" --in-pod=false \
        -f docker-compose.yml -f "$work/override.yml" "$@"
}
trap 'compose down -v >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

# shellcheck disable=SC2086 - several options
{
    container=$(buildah $storage from docker.io/library/python:3.11-slim-bookworm)
    root=$(buildah $storage mount "$container")
    cp "$(command -v prometheus)" "$root/bin/prometheus"
    install -d -o 65534 -g 65534 "$root/prometheus"
    buildah $storage umount "$container" >/dev/null
    buildah $storage config --entrypoint '["/bin/prometheus"]' --cmd '' --user 65534 "$container"
    buildah $storage commit -q "$container" docker.io/prom/prometheus:v3.5.0 >/dev/null
    buildah $storage rm "$container" >/dev/null
    buildah $storage tag senet-serving:test localhost/senet-serving:cpu
}
compose up -d --no-build senet prometheus
python3 - <<'PYTHON'
import json, sys, time, urllib.parse, urllib.request
query = urllib.parse.quote('senet_ready == 1 and on (job) up{job="senet-serving"} == 1')
for _ in range(90):
    time.sleep(1)
    try:
        url = f"http://127.0.0.1:9090/api/v1/query?query={query}"
        found = json.load(urllib.request.urlopen(url, timeout=2))["data"]["result"]
    except OSError:
        continue
    if found:
        print("Prometheus sees", found[0]["metric"]["instance"], "ready")
        sys.exit(0)
sys.exit("Prometheus did not see the service ready within 90 s")
PYTHON
echo "1 passed, 0 failed"
