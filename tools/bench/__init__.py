"""How fast the service is: beside a bare loop without any server, and beside a plain server."""
