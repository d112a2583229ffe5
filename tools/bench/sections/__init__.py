"""The parts of the benchmark; each adds its tables to the report."""
