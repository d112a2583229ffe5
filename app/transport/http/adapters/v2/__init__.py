"""The Open Inference Protocol over HTTP: `/v2`, with Triton's binary tensors and classes."""
