"""`python -m abaci.cli`: the same as the `abaci` command."""

from abaci.cli import main

main()
