"""The SENet image-classification service."""
