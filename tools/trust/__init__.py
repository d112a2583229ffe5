"""How far answers can be trusted, measured over HTTP on labelled photos."""
