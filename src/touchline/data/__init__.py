"""Order flow for studies and benchmarks: seeded flows and recorded scripts."""
