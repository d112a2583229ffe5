"""How fast the service is: beside a loop without any server, beside mosec and a plain server."""
