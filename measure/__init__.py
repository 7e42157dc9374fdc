"""The instrument: runs any artifact in a child process and measures it."""
