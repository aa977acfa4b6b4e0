"""The supervisor, which starts, watches and stops the parts, and what all parts share."""
