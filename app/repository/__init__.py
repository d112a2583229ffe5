"""Models on disk: manifests, discovery and verification."""
