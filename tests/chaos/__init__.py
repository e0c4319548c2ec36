"""The fault run: a receiver that fails a third of the time, a process killed again and again."""
