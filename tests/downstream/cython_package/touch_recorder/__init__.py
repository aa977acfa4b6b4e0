"""A package of somebody else, which reaches the core from Cython."""
