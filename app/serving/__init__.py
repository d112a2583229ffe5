"""The use case: bytes of an image in, predictions out. Knows no HTTP."""
