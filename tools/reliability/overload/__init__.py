"""What the service does at 1, 2 and 4 times its capacity, and for whom.

Measures the capacity with as many waiting clients as keep it busy, then offers requests at random
times (Poisson arrivals) whatever the service answers, as a crowd of users would. Latency counts
from the moment a request was due, so that a slow service cannot slow its own measurement down.
"""
