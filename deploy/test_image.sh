#!/usr/bin/env bash
# Builds an image and runs it as an orchestrator would: read-only, not root, without
# capabilities, with a memory limit. Needs root, and `deploy/install_test_tools.sh image`.
#
#   TARGET        of the Dockerfile, by default cpu
#   BASE_TAR      file system of the base image, where the public one cannot be pulled; by default
#                 one is made of Debian's packages then
#   PIP_CONF      the build host's package index configuration, for the build alone; by default
#                 /etc/pip.conf where it exists
#   MODELS        a model repository to serve instead of the image's own
#   KEEP          folder to leave the container storage in
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
store=${KEEP:-$work/storage}
mkdir -p "$store"
storage=(--storage-driver overlay --root "$store/root" --runroot "$store/run")
podman=(podman "${storage[@]}" --cgroup-manager=cgroupfs --runtime runc)
target=${TARGET:-cpu}
image=senet-serving:test
port=${PORT:-18080}
finish() {
    "${podman[@]}" rm -f -t 1 senet-test >/dev/null 2>&1 || true
    [ -n "${KEEP:-}" ] || { umount "$store/root/overlay" 2>/dev/null || true; }
    rm -rf "$work" 2>/dev/null || true
}
trap finish EXIT

base=docker.io/library/python:3.11-slim-bookworm
known() { buildah "${storage[@]}" inspect --type image "$base" >/dev/null 2>&1; }
if ! known && ! { [ -z "${BASE_TAR:-}" ] && buildah "${storage[@]}" pull -q "$base" 2>/dev/null; }; then
    echo "== a base of Debian's packages in place of $base"
    tar=${BASE_TAR:-$work/base.tar}
    [ -e "$tar" ] || mmdebstrap --quiet --variant=minbase \
        --include=ca-certificates,python3,python3-venv,python3-pip bookworm "$tar"
    container=$(buildah "${storage[@]}" from scratch)
    buildah "${storage[@]}" add -q "$container" "$tar" /
    buildah "${storage[@]}" config --cmd bash "$container"
    buildah "${storage[@]}" commit -q "$container" "$base"
    buildah "${storage[@]}" rm "$container" >/dev/null
fi

echo "== build"
mounts=(-v /etc/ssl/certs:/etc/ssl/certs:ro)
pip_conf=${PIP_CONF:-/etc/pip.conf}
[ ! -e "$pip_conf" ] || mounts+=(-v "$pip_conf:/etc/pip.conf:ro")
buildah "${storage[@]}" bud --isolation chroot --format docker --layers "${mounts[@]}" \
    --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --target "$target" -t "$image" .

size_of() { "${podman[@]}" image inspect --format '{{.Size}}' "$1"; }
added=$((($(size_of "$image") - $(size_of "$base")) / 1000000))
echo "image: $(($(size_of "$image") / 1000000)) MB, $added MB on top of the base"
[ "$target" != cpu ] || [ "$added" -le 350 ] ||
    { echo "the image adds more than 350 MB" >&2; exit 1; }

echo "== what is inside"
inspect() { "${podman[@]}" image inspect --format "$1" "$image"; }
[ "$(inspect '{{.Config.User}}')" = 10001:10001 ]
[ "$(inspect '{{.Config.StopSignal}}')" = SIGTERM ]
[ -n "$(inspect '{{index .Config.Labels "org.opencontainers.image.revision"}}')" ]
# As the image says it, so that the very command is run below.
read -ra health <<<"$(inspect '{{range slice .Config.Healthcheck.Test 1}}{{.}} {{end}}')"
[ "${#health[@]}" -gt 0 ]
hardened=(--read-only --cap-drop=all --security-opt no-new-privileges
    --ulimit nofile=8192:8192 --ulimit nproc=4096:4096 --no-healthcheck)
# `import` alone is not enough: what must be missing is looked for by name.
"${podman[@]}" run --rm "${hardened[@]}" --network none --entrypoint python3 "$image" -c '
import importlib.util, os, shutil
assert os.getuid() == 10001, os.getuid()
assert importlib.util.find_spec("torch") is None
assert importlib.util.find_spec("pytest") is None
assert not [name for name in ("gcc", "cc", "make", "curl") if shutil.which(name)]
try:
    open("/app/probe", "w")
except OSError:
    pass
else:
    raise SystemExit("the root file system can be written to")
'

echo "== run"
models=()
[ -z "${MODELS:-}" ] || models=(-v "$MODELS:/models:ro")
start() {
    "${podman[@]}" run -d --name senet-test --network host --memory "$1" "${hardened[@]}" \
        "${models[@]}" -e SENET_HOST=127.0.0.1 -e SENET_PORT="$port" "$image" >/dev/null
}
start 1g
ask() { python3 - "$port" "$1" <<'PYTHON'
import json, sys, struct, time, urllib.error, urllib.request, zlib
url, what = f"http://127.0.0.1:{sys.argv[1]}", sys.argv[2]
def png(side=160):
    rows = b"".join(b"\0" + bytes((x + y) % 256 for x in range(side) for _ in range(3)) for y in range(side))
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
if what == "ready":
    for _ in range(240):
        try:
            urllib.request.urlopen(url + "/readyz", timeout=2)
            sys.exit(0)
        except OSError:
            time.sleep(0.25)
    sys.exit("not ready within 60 s")
request = urllib.request.Request(url + "/classify", png(), {"content-type": "image/png"})
answer = json.load(urllib.request.urlopen(request, timeout=20))
if what == "version":
    sys.exit(print(answer["model"]["version"]))
print(answer["model"]["name"], answer["results"][0]["predictions"][0])
PYTHON
}
ask ready || { "${podman[@]}" logs senet-test; exit 1; }
ask classify
"${podman[@]}" exec senet-test "${health[@]}"
echo "healthy: ${health[*]}"
"${podman[@]}" exec senet-test python3 -m app doctor || { echo "doctor found a fault" >&2; exit 1; }
before=$(date +%s)
"${podman[@]}" stop -t 30 senet-test >/dev/null
took=$(($(date +%s) - before))
code=$("${podman[@]}" inspect --format '{{.State.ExitCode}}' senet-test)
echo "stopped on SIGTERM after $took s with exit code $code"
[ "$code" = 0 ] && [ "$took" -le 20 ]
"${podman[@]}" rm senet-test >/dev/null

echo "== models of one's own baked in, and an image of nothing else"
mkdir -p "$work/context/models/imagenette"
cp -r models/imagenette/1 "$work/context/models/imagenette/2"
sed -i '0,/"version": 1/s//"version": 2/' "$work/context/models/imagenette/2/manifest.json"
bake() { # BASE TAG
    buildah "${storage[@]}" bud --isolation chroot --format docker --pull-never \
        -f deploy/kubernetes/models.Dockerfile --build-arg "BASE=$1" -t "$2" "$work/context"
}
bake "$image" senet-baked:test
bake scratch senet-models:test
container=$(buildah "${storage[@]}" from --pull-never senet-models:test)
[ -e "$(buildah "${storage[@]}" mount "$container")/models/imagenette/2/manifest.json" ]
buildah "${storage[@]}" rm "$container" >/dev/null
served=$image image=senet-baked:test
mounted=("${models[@]}") models=(-e SENET_MODEL=imagenette:2)
start 1g
image=$served models=("${mounted[@]}")
ask ready || { "${podman[@]}" logs senet-test; exit 1; }
ask version | grep -x 2
"${podman[@]}" rm -f -t 1 senet-test >/dev/null

echo "== SIGTERM while starting"
start 1g
# Before a handler stands, the kernel keeps SIGTERM from a container's first process: wait for it.
pid=$("${podman[@]}" inspect --format '{{.State.Pid}}' senet-test)
until [ $((0x$(awk '/^SigCgt/ { print $2 }' "/proc/$pid/status") & 0x4000)) -ne 0 ]; do :; done
"${podman[@]}" stop -t 30 senet-test >/dev/null
code=$("${podman[@]}" inspect --format '{{.State.ExitCode}}' senet-test)
[ "$code" = 0 ] || { echo "exit code $code" >&2; "${podman[@]}" logs senet-test; exit 1; }
"${podman[@]}" rm senet-test >/dev/null

refuse() { # LINE OPTIONS...: it must end with exit code 2 and say this in one line
    code=0
    "${podman[@]}" run --rm "${hardened[@]}" --network none "${@:2}" "$image" >"$work/out" 2>&1 || code=$?
    grep "^error: .*$1" "$work/out" || { cat "$work/out" >&2; exit 1; }
    [ "$code" = 2 ]
}
echo "== a model volume that is empty"
mkdir "$work/empty"
chmod 755 "$work" "$work/empty"
refuse "which holds no model" -v "$work/empty:/models:ro"
echo "== a memory limit too small for the model"
refuse "left for it: the container's limit is 80 MiB" --memory 80m --memory-swap 80m
echo "1 passed, 0 failed"
