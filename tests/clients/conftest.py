from tests.support.services import make_settings

__all__ = ["make_settings"]
