"""Measurements and proofs; no part of what is deployed."""
