"""The core as Python sees it: messages, one book, the engine, what it answered, its addresses."""
