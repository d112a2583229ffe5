"""What every load on a service needs: a process to load, a client, and loads to put on it."""
