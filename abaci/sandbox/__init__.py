"""Run untrusted Python: the contract is in `base`, one module an isolation tier."""
