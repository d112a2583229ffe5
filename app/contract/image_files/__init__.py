"""Files as their decoders will read them: each is handed only what was read and judged here."""
