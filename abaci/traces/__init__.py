"""What happened in a run: the contract is in `base`, one module a store."""
