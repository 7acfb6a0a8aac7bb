"""Components that stand for real ones where only recipes are checked, and registries of them."""

from __future__ import annotations

from typing import Any

from ganzoo.plugins.registry import Origin, Registration, Registry


def registry(*components: tuple[str, str, Any]) -> Registry:
    """Return a registry of components: kind, name and class, beside those of this module."""
    result = Registry()
    for kind, name, target in (*COMMON, *components):
        result.add(Registration(kind, name, target, Origin("tests", "tests", "1")))
    return result


class Translator:
    """From photos."""

    def forward(self, photo):
        pass


class Judge:
    """Judges."""

    def forward(self, image, label=None):
        pass


class Network:
    """Features."""

    def __init__(self, layers: list[str] | None = None):
        pass

    def forward(self, image):
        pass


class Adversarial:
    """For both players."""

    def generator(self, fake_logits):
        pass

    def discriminator(self, real_logits, fake_logits):
        pass


class Content:
    """For G."""

    def __init__(self, layers: tuple[int, ...] = (1, 2), scale: float = 1):
        pass

    def generator(self, fake, photo):
        pass


COMMON = (
    ("generator", "translator", Translator),
    ("discriminator", "judge", Judge),
    ("extractor", "network", Network),
    ("loss", "adversarial", Adversarial),
    ("loss", "content", Content),
)
