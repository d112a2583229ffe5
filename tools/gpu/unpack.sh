#!/usr/bin/env bash
# On the machine with the card, when all pieces have arrived: joins them below FOLDER (default
# ~/gpu). `FOLDER/run STEP...` then runs steps of tools.gpu in FOLDER/project. The machine's own
# Python gives PyTorch and NVIDIA's libraries; the packages that came along go before its own.
set -euo pipefail
kit=$(cd "$(dirname "$0")" && pwd) folder=${1:-$HOME/gpu} python=$(command -v python3)
(cd "$kit" && sha256sum -c --quiet sums)
mkdir -p "$folder"
unzstd() { if command -v zstd >/dev/null; then zstd "$@"; else LD_LIBRARY_PATH=$kit/zstd "$kit/zstd/zstd" "$@"; fi; }
cat "$kit"/part-* | unzstd -qdc --long=27 | tar -C "$folder" -x
"$python" -m venv --without-pip "$folder/venv"
site=$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
theirs=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
rmdir "$site" 2>/dev/null || rm -rf "$site"
mv "$folder/packages" "$site"
echo "$theirs" >"$site/zz_machine.pth"
# ONNX Runtime looks for NVIDIA's packages beside itself.
[ -e "$site/nvidia" ] || ln -s "$theirs/nvidia" "$site/nvidia"
cat >"$folder/run" <<RUN
#!/usr/bin/env bash
cd "$folder/project"
export PATH="$folder/tools:\$PATH" LD_LIBRARY_PATH="$folder/tools:\${LD_LIBRARY_PATH:-}" PYTHONUNBUFFERED=1
exec "$folder/venv/bin/python" -m tools.gpu "\$@"
RUN
chmod +x "$folder/run"
"$folder/venv/bin/python" -c 'import onnxruntime; onnxruntime.preload_dlls(); print("onnxruntime", onnxruntime.__version__, onnxruntime.get_available_providers())'
