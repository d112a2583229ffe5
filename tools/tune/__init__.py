"""`python -m tools.tune`: finds by real load the settings that serve most within a latency."""
