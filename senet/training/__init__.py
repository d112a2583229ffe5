"""Training on folders of class folders, and its exact resume."""
