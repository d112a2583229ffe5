"""What `mkdocs build` adds to the pages in `docs/`."""
