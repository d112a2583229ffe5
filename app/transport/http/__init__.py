"""HTTP: routes, wire schemas, middleware and the error table. Nothing else knows HTTP."""
