"""Squeeze-and-Excitation networks in PyTorch: architectures, training and export.

Everything that needs torch lives here; the service in `app` never imports it.
"""
