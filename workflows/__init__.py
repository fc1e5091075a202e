"""What happens in which order and who must agree; deterministic."""
