"""Every judged submission, in a database."""
