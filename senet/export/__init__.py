"""From a PyTorch network to a verified model version in the repository.

`pipeline.export` is the whole way; the other modules are its steps.
"""

import os

# Before any import of ONNX Runtime, as in `app`: it reports to its maker otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
