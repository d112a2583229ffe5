"""Thin command lines over `senet`."""
