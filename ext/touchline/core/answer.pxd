"""What an engine answered, for Cython."""

from touchline.core.messages cimport tl_event


cdef class Answer:
    # 96 bytes, because a study keeps many: hence no count, and no C methods, which take a pointer.
    cdef readonly object context
    cdef tl_event first
    cdef bytes rest
