"""Inference engines: the protocol and its ONNX Runtime implementation."""
