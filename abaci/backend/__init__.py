"""Make tokens: the contract is in `base`, one module an engine."""
