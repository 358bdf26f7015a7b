"""SparQ attention: decode that reads a few components of all keys, and then all of a few keys and values."""
