"""From a PyTorch network to a verified model version in the repository.

`pipeline.export` is the whole way; the other modules are its steps.
"""
