"""LangGraph workflows: one chain (`tora`), many chains (`solve`), and their owner (`solver`)."""
