"""`python -m app gallery`: what a model makes of a folder of photos, as one HTML file.

Photos are read twice: to classify all of them, then to draw those that are shown. In between only
a few figures of each of these are kept, so memory does not grow with the folder.
"""
