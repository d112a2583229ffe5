from tests.support.tools import tool

__all__ = ["tool"]
