"""Benchmarks: each checks its own result, states its workload, and can be rerun from here."""
