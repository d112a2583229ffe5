#!/usr/bin/env bash
# Packs the project, the packages of requirements/gpu.txt but NVIDIA's own, and the models to measure
# for a machine that reaches no package index and has a card, Python and PyTorch for CUDA 13, which
# brings NVIDIA's libraries. To be run in the project's root.
#
#   PYTHON_VERSION  Python of the other machine (default 3.12)
#   CAPABILITY      compute capability of its card (default 90: H100, H200)
#   PIECE_MIB       largest piece that can be carried at once (default 60)
#   LEAVE_OUT       packages that the other machine has, as a regular expression (default: none)
#   WORK            where tools.gpu.models has put the models (default runs/gpu)
#
# Writes .gpu-kit/part-NN, .gpu-kit/sums, and what unpack.sh needs.
set -euo pipefail
version=${PYTHON_VERSION:-3.12} capability=${CAPABILITY:-90} mib=${PIECE_MIB:-60} work=${WORK:-runs/gpu}
python=.venv/bin/python kit=.gpu-kit
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

grep -E '^[A-Za-z0-9]' requirements/gpu.txt | sed 's/ *\\$//' | grep -vE "^(nvidia-|torch|(${LEAVE_OUT:-none})==)" |
	sed -E 's/\[[^]]*\]//' >"$scratch/requirements.txt"
# The benchmark's plain server takes forms as FastAPI does.
echo python-multipart >>"$scratch/requirements.txt"
.venv/bin/uv pip install --quiet --target "$scratch/tree/packages" --python-version "$version" \
	--python-platform x86_64-manylinux_2_39 --only-binary :all: --no-deps -r "$scratch/requirements.txt"
"$python" -m tools.gpu.slim_library \
	"$scratch/tree/packages/onnxruntime/capi/libonnxruntime_providers_cuda.so" "$capability"

mkdir -p "$scratch/tree/project/runs/gpu" "$scratch/tree/tools"
git ls-files -z app senet scripts tools models pyproject.toml | grep -zvE '\.png$|int8\.onnx$' |
	tar --null --files-from - -c | tar -C "$scratch/tree/project" -x
cp models/imagenette/1/model.int8.onnx "$scratch/tree/project/models/imagenette/1/"
[ ! -d "$work/models" ] || cp -r "$work/models" "$scratch/tree/project/runs/gpu/"
# The load generator, which is seldom installed.
if wrk=$(command -v wrk); then
	cp "$wrk" "$scratch/tree/tools/"
	ldd "$wrk" | awk '/libluajit/ { print $3 }' | xargs -I{} cp -L {} "$scratch/tree/tools/"
fi

rm -rf "$kit"
mkdir "$kit"
# Not every machine has zstd.
zstd=$(command -v zstd)
mkdir "$kit/zstd"
cp "$zstd" "$kit/zstd/"
ldd "$zstd" | awk '/libzstd|liblz4|liblzma|libz\.so/ { print $3 }' | xargs -I{} cp -L {} "$kit/zstd/"
tar -C "$scratch/tree" -c packages tools project | zstd -q -T0 -12 --long=27 | split -b "${mib}M" -d - "$kit/part-"
cp tools/gpu/unpack.sh "$kit/"
(cd "$kit" && sha256sum part-* >sums)
ls -lh "$kit"
