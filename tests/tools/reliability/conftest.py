from tests.support.services import client, make_settings, server

__all__ = ["client", "make_settings", "server"]
