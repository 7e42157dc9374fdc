"""What surrounds the worker process; the one place where its set-up lives."""
