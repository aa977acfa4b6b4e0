"""The operator's tools: the command line, how the venue is, and whether it adds up."""
