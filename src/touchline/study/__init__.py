"""What studies run in C: market records, readers of their files, the books they make.

touchline.data has the names that programs use.
"""
