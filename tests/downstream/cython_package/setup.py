"""Build of a package that uses touchline from Cython: two extension modules of its own."""

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

import touchline

FROM_TOUCHLINE = {
    "include_dirs": [touchline.get_include(), np.get_include()],
    "library_dirs": [touchline.get_library_dir()],
    "libraries": ["touchline_core"],
}

setup(
    name="touch-recorder",
    version="1.0",
    packages=["touch_recorder"],
    ext_modules=cythonize(
        [
            Extension(f"touch_recorder.{name}", [f"touch_recorder/{name}.pyx"], **FROM_TOUCHLINE)
            for name in ("recorder", "queues")
        ]
    ),
)
