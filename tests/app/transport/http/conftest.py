from tests.support.services import client, server

__all__ = ["client", "server"]
