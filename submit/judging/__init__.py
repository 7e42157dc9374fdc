"""Many submissions judged into a ledger."""
