from tests.support.services import make_settings
from tests.support.tools import tool

__all__ = ["make_settings", "tool"]
