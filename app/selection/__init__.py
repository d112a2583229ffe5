"""Start-up: finds out which engine serves the model best here, and proves it."""
