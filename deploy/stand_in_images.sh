#!/usr/bin/env bash
# Gives the Docker daemon images under the names that docker-compose.yml asks for, where the public
# ones cannot be pulled: the service's from deploy/test_image.sh, Prometheus and Alertmanager from
# their Debian packages. Run `KEEP=DIR deploy/test_image.sh` first, then this with the same KEEP.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${KEEP:?the folder that deploy/test_image.sh left its images in}"
storage=(--storage-driver overlay --root "$KEEP/root" --runroot "$KEEP/run")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

base=docker.io/library/python:3.11-slim-bookworm
for image in senet-serving:test "$base"; do
    podman "${storage[@]}" save "$image" | docker load --quiet
done
docker tag localhost/senet-serving:test senet-serving:cpu

stand_in() { # NAME TAG PROGRAM
    cp "$(command -v "$3")" "$work/program"
    mkdir -p "$work/templates"
    cp -r /usr/share/prometheus/alertmanager/. "$work/templates" 2>/dev/null || true
    docker build --quiet --tag "docker.io/prom/$1:$2" --file - "$work" <<DOCKERFILE
FROM $base
COPY program /bin/$1
COPY templates /usr/share/prometheus/alertmanager
RUN install -d -o 65534 -g 65534 /$1
USER 65534
ENTRYPOINT ["/bin/$1"]
DOCKERFILE
}
tag_of() { sed -n "s|^ *image: docker.io/prom/$1:||p" docker-compose.yml; }
stand_in prometheus "$(tag_of prometheus)" prometheus
stand_in alertmanager "$(tag_of alertmanager)" prometheus-alertmanager
