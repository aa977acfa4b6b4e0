# cython: language_level=3
"""What belongs to one process: the base of everything over shared memory, locks and files.

A forked child inherits descriptors, mappings and, with the descriptors, the locks. A child that
used them would write where its parent writes, and one that closed them would end its parent's
claim. So a child lets go of them at once, without a word to anybody else, and every later use there
raises. Whoever holds something in the child opens it anew.
"""

import os
import weakref

from posix.unistd cimport getpid

_live = weakref.WeakSet()


def refuse_copy(thing):
    """The exception for whoever copies or pickles what belongs to one process."""
    return TypeError(
        f"a {type(thing).__name__} can not be copied or pickled: it holds what belongs to one "
        "process; another process opens its own")


cdef class Owned:
    """Of the process that made it alone. A forked child is refused; a pickle is refused."""

    def __cinit__(self):
        self.pid = getpid()
        _live.add(self)

    cdef int check_here(self) except -1:
        if self.inherited:
            raise RuntimeError(
                f"this {type(self).__name__} belongs to process {self.pid}, which forked this "
                "one: a child process opens its own")
        return 0

    cdef void abandon(self) noexcept:
        """Let go of what was inherited; the parent's stays as it is."""

    def __reduce__(self):
        raise refuse_copy(self)


def _abandon_inherited():
    cdef Owned owned
    for owned in list(_live):
        owned.inherited = True
        owned.abandon()


os.register_at_fork(after_in_child=_abandon_inherited)
