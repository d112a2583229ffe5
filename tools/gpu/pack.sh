#!/usr/bin/env bash
# Packs the project with its tests, the packages of requirements/gpu.txt but NVIDIA's libraries, those
# that the tests on a card need, and the models to measure, for a machine that reaches no package
# index and has a card, Python and PyTorch for CUDA 13, which brings NVIDIA's libraries. To be run in
# the project's root.
#
#   PYTHON_VERSION  Python of the other machine (default 3.12)
#   CAPABILITY      compute capability of its card (default 90: H100, H200)
#   PIECE_MIB       largest piece that can be carried at once (default 60)
#   LEAVE_OUT       packages that the other machine has, as a regular expression (default: none)
#   WORK            where tools.gpu.models has put the models (default runs/gpu)
#   FP16_ONLY       models of which fp32 stays behind, for it is large (default senet154)
#   KIT             where the pieces go (default .gpu-kit)
#
# Writes KIT/part-NN, KIT/sums, and what unpack.sh needs.
set -euo pipefail
version=${PYTHON_VERSION:-3.12} capability=${CAPABILITY:-90} mib=${PIECE_MIB:-60} work=${WORK:-runs/gpu}
python=.venv/bin/python kit=${KIT:-.gpu-kit}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

pinned() { grep -E '^[A-Za-z0-9]' "$1" | sed -E 's/ *\\$//; s/\[[^]]*\]//'; }
pinned requirements/gpu.txt | grep -vE "^(nvidia-[^m]|torch|(${LEAVE_OUT:-none})==)" >"$scratch/requirements.txt"
pinned requirements/dev.txt |
	grep -E '^(pytest|pytest-asyncio|iniconfig|pluggy|pygments|hypothesis|sortedcontainers|httpx|httpcore)==' >>"$scratch/requirements.txt"
# The benchmark's plain server takes forms as FastAPI does.
echo python-multipart >>"$scratch/requirements.txt"
.venv/bin/uv pip install --quiet --target "$scratch/tree/packages" --python-version "$version" \
	--python-platform x86_64-manylinux_2_39 --only-binary :all: --no-deps -r "$scratch/requirements.txt"
libraries=$scratch/tree/packages/onnxruntime/capi
"$python" -m tools.gpu.slim_library "$libraries/libonnxruntime_providers_cuda.so" "$capability"
# For programs in C; Python's module holds the same once more.
rm -f "$libraries"/libonnxruntime.so.*

mkdir -p "$scratch/tree/project/runs/gpu/models" "$scratch/tree/tools"
git ls-files -z app senet scripts tools tests models pyproject.toml | grep -zvE '\.(png|svg)$' |
	tar --null --files-from - -c | tar -C "$scratch/tree/project" -x
for model in "$work"/models/*/1; do
	[ -d "$model" ] || continue
	name=$(basename "$(dirname "$model")") precisions="fp32 fp16"
	if [[ $name =~ ^(${FP16_ONLY:-senet154})$ ]]; then precisions=fp16; fi
	# shellcheck disable=SC2086 # a list
	"$python" -m tools.gpu.slim_model "$model" "$scratch/tree/project/runs/gpu/models/$name/1" $precisions
done
# The load generator, which is seldom installed.
if wrk=$(command -v wrk); then
	cp "$wrk" "$scratch/tree/tools/"
	ldd "$wrk" | awk '/libluajit/ { print $3 }' | xargs -I{} cp -L {} "$scratch/tree/tools/"
fi

rm -rf "$kit"
mkdir -p "$kit/zstd"
# Not every machine has zstd.
zstd=$(command -v zstd)
cp "$zstd" "$kit/zstd/"
ldd "$zstd" | awk '/libzstd|liblz4|liblzma|libz\.so/ { print $3 }' | xargs -I{} cp -L {} "$kit/zstd/"
tar -C "$scratch/tree" -c packages tools project | zstd -q -T0 -12 --long=27 | split -b "${mib}M" -d - "$kit/part-"
cp tools/gpu/unpack.sh "$kit/"
(cd "$kit" && sha256sum part-* >sums)
ls -lh "$kit"
