"""The Docker tiers: one hardened container with a warm worker inside, under runc or under gVisor's runsc."""
