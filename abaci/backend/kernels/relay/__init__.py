"""Dense attention that reads the pages which requests share once for all of them (RelayAttention)."""
