"""Many chains, one answer: the contract is in `base`, one module a method."""
