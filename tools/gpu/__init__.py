"""The service on an NVIDIA card: what is packed for it, and what is tried and measured there."""
