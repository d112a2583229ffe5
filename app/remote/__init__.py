"""Repositories that are not on this machine.

location     what an option may say: a folder or a URI
store        the files behind a URI, through fsspec
calls        calls of its library, which may hang
failures     what a store's library raises, as errors of ours
copies       copies of versions on this machine
repository   the repository behind a URI
publishing   a version is written to a store
"""
