"""Are two answers equal, and why? Cheap checks on the host, algebra in a sandbox session, bounded and killable."""
