"""What an agent may call: the contract is in `base`, one module a tool."""
