"""The code inside the sandbox: the warm zygote, the session process it forks, and how that process locks itself up.

Standard library only (the mathematics libraries are imported by `warm`, at run time): these files are the only part of
abaci that is visible inside. The host imports nothing from here but `wire`, the frames that both sides speak.
"""
