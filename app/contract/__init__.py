"""What a published model is, and what its service and its export share."""
