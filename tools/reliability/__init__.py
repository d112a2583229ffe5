"""Proofs that nothing breaks the service: hostile images, overload, chaos, soak, fuzzing."""
