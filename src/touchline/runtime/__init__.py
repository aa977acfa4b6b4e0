"""What runs an engine: bus, journal and runner, and who follows them: replay and the event feed."""
