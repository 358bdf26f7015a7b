"""The search for what is shared in a few launches; `groups` and `work` of the package above define what it finds."""
