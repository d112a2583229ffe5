"""`python -m app doctor`: what the service will find on this machine, each thing judged.

Its modules import what may be broken only where it is examined, so that they can speak where the
service cannot even be imported.
"""
