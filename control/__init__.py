"""The control plane: command line, supervisor, publisher and capture.

Only the console script imports it.
"""
