"""The judge: rules, verdicts, scores."""
