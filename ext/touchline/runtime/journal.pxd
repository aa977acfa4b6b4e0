"""The journal for Cython: the C interface of journal.h that readers need."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from touchline.core.messages cimport tl_command
from touchline.runtime.owned cimport Owned


cdef extern from "touchline/runtime/journal.h" nogil:
    ctypedef struct tl_journal_header:
        uint32_t index
        uint64_t segment_bytes
        uint64_t first_seq
        int64_t created_ns
        uint64_t journal_id
        uint32_t capacities[5]

    ctypedef struct tl_journal_fault:
        int error
        uint64_t offset
        uint64_t seq
        char path[1024]
        char text[256]

    ctypedef struct tl_journal_reader:
        tl_journal_header header
        uint64_t seq

    int tl_journal_reader_open(tl_journal_reader **out, const char *dir, tl_journal_fault *fault)
    void tl_journal_reader_close(tl_journal_reader *reader)
    int64_t tl_journal_reader_next(tl_journal_reader *reader, const tl_command **first, size_t max,
                                   tl_journal_fault *fault)

    tl_journal_header tl_journal_reader_newest(const tl_journal_reader *reader)
    int64_t tl_journal_reader_texts(tl_journal_reader *reader, tl_command *out, size_t room,
                                    tl_journal_fault *fault)


cdef object journal_error(const tl_journal_fault *fault)


cdef class JournalReader(Owned):
    cdef tl_journal_reader *reader

    cdef int check_open(self) except -1
