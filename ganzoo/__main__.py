"""``python -m ganzoo``, and ``accelerate launch -m ganzoo train RECIPE``."""

from ganzoo.cli import main

if __name__ == "__main__":
    main()
