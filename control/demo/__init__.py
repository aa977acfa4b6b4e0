"""The demonstration: a venue, four FIX clients, a live book, and the proof that it adds up."""
