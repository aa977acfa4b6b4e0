"""The capture: every event to Parquet, and DuckDB's views over the files."""
