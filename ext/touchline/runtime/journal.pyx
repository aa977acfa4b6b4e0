# cython: language_level=3, boundscheck=False, wraparound=False
"""The journal for Python: reading it, also while the engine writes it.

A reader belongs to one thread at a time. Writing is the runner's.
"""

import errno
import os

import numpy as np

cimport numpy as cnp
from libc.stdint cimport INT64_MAX
from libc.string cimport memcpy

from touchline.core.arguments cimport path_bytes, whole

from touchline.core.capacities import EngineCapacities
from touchline.errors import ConfigError, JournalCorrupt
from touchline.core.messages import COMMAND

cnp.import_array()

_NO_COMMANDS = np.empty(0, dtype=COMMAND)
_NO_COMMANDS.flags.writeable = False


cdef object journal_error(const tl_journal_fault *fault):
    """The exception for what journal.h reports."""
    path = os.fsdecode(<bytes>fault.path)
    text = (<bytes>fault.text).decode(errors="replace")
    if fault.error == errno.EBADMSG:
        return JournalCorrupt(path, fault.offset, fault.seq, text)
    if fault.error == errno.EINVAL:
        return ConfigError(f"{path}: {text}" if path else text)
    if fault.error == errno.ENOMEM:
        return MemoryError(text)
    return OSError(fault.error, text, path or None)


cdef object capacities_of(const tl_journal_header *header):
    return EngineCapacities(header.capacities[0], header.capacities[1], header.capacities[2],
                            header.capacities[3], header.capacities[4])


cdef class JournalReader(Owned):
    """The commands of the journal in `directory`, from the first.

    Raises FileNotFoundError when there is no journal, JournalCorrupt when it is damaged.
    """

    def __cinit__(self, directory):
        cdef tl_journal_fault fault
        if tl_journal_reader_open(&self.reader, path_bytes(directory, "directory"), &fault) != 0:
            raise journal_error(&fault)

    def __dealloc__(self):
        tl_journal_reader_close(self.reader)

    cdef void abandon(self) noexcept:
        tl_journal_reader_close(self.reader)
        self.reader = NULL

    cdef int check_open(self) except -1:
        self.check_here()
        if self.reader == NULL:
            raise ValueError("the journal reader is closed")
        return 0

    @property
    def capacities(self):
        """What the engine had when it did the commands that read() gave last; a replay needs the
        same for them. Before the first read what the journal begins with. They only ever grow.
        """
        self.check_open()
        return capacities_of(&self.reader.header)

    @property
    def newest_capacities(self):
        """The largest that the journal had when this reader was opened: those written last."""
        self.check_open()
        cdef tl_journal_header newest = tl_journal_reader_newest(self.reader)
        return capacities_of(&newest)

    @property
    def journal_id(self):
        """A number that no other journal has; the bus status shows the same."""
        self.check_open()
        return self.reader.header.journal_id

    @property
    def next_seq(self):
        """Number of the command that comes next."""
        self.check_open()
        return self.reader.seq

    def read(self, max=4096):
        """The next commands, shape (n,), n <= max, dtype COMMAND, the caller's own.

        n = 0 at the end, which may be asked again as the writer goes on. A torn tail is an end.
        All of them were done with equal capacities, which `capacities` tells then. Raises
        JournalCorrupt when a bad record is followed by good ones.
        """
        cdef tl_journal_fault fault
        cdef const tl_command *first = NULL
        cdef size_t most = <size_t>whole(max, "max", 0, INT64_MAX)
        self.check_open()
        if most == 0:
            return _NO_COMMANDS
        cdef int64_t count = tl_journal_reader_next(self.reader, &first, most, &fault)
        if count < 0:
            raise journal_error(&fault)
        if count == 0:
            return _NO_COMMANDS
        cdef cnp.ndarray out = np.empty(count, dtype=COMMAND)
        memcpy(cnp.PyArray_DATA(out), first, <size_t>count * sizeof(tl_command))
        return out

    def read_texts(self, max=4096):
        """The next TEXT commands that name something for good, shape (n,), n <= max, dtype COMMAND.

        Those of CL_ORD_ID and all other commands are passed over, without a copy. n = 0 at the
        end, which may be asked again. Raises JournalCorrupt.
        """
        cdef tl_journal_fault fault
        cdef int64_t count
        cdef size_t most = <size_t>whole(max, "max", 0, INT64_MAX // <int64_t>sizeof(tl_command))
        self.check_open()
        if most == 0:
            return _NO_COMMANDS
        cdef cnp.ndarray out = np.empty(most, dtype=COMMAND)
        count = tl_journal_reader_texts(self.reader, <tl_command *>cnp.PyArray_DATA(out), most,
                                        &fault)
        if count < 0:
            raise journal_error(&fault)
        return out[:count]

    def close(self):
        """Let go of the files. Harmless when repeated."""
        tl_journal_reader_close(self.reader)
        self.reader = NULL

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
