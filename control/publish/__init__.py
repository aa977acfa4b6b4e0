"""The publisher: market data over ZeroMQ, from a mirror of every book."""
