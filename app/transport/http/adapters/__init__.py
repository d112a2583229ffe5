"""The protocols of other servers, for the clients that people already have."""
