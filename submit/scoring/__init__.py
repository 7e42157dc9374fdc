"""A challenge as a scoring program for Codabench, or an evaluation script for EvalAI."""
