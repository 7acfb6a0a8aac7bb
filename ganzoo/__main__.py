"""``python -m ganzoo``, and with it ``accelerate launch -m ganzoo`` and ``torchrun -m ganzoo``."""

from ganzoo.cli import main

main()
