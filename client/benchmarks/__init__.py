"""Measurements of the client, each a command."""
