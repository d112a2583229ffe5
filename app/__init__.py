"""The SENet image-classification service."""

import os

# From its import on, ONNX Runtime 1.31 reports to its maker and keeps an id of the machine in the
# home folder (core/platform/posix/telemetry_1ds.cc). So this must come before any import of it.
# Whoever wants the reports sets the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
