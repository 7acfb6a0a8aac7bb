"""``python -m ganzoo``, and ``torchrun --nproc_per_node 2 -m ganzoo train RECIPE``."""

from ganzoo.cli import main

if __name__ == "__main__":
    main()
