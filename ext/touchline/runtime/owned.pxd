"""What belongs to one process, for Cython: the base of everything over shared memory and locks."""

from libc.stdint cimport int32_t


cdef class Owned:
    cdef object __weakref__
    cdef bint inherited  # this process is a forked child of the one that made it
    cdef int32_t pid     # of the process that made it

    cdef int check_here(self) except -1
    cdef void abandon(self) noexcept
