"""Configurations of models as their folders hold them."""

from __future__ import annotations

from typing import Any

from submitted import sha

from ganzoo.models.config import Config, File, Input, Licences, Output, Part


def noise(**changes: Any) -> Config:
    """A conditional generator that was trained here."""
    part = Part("dcgan", {"width": 8}, "dcgan", "ganzoo", "0.1.0")
    training = {
        "recipe": "hair",
        "steps": 4000,
        "images": 128000,
        "seconds": 977.5,
        "dataset": {
            "use": "avatars",
            "sha256": sha("data"),
            "attribution": "# Attribution\n\nBy [Ann](https://ann.example), `cut`.\n\nThanks.\n",
        },
        "environment": {"torch": "2.9", "threads": 1},
    }
    given: dict[str, Any] = {
        "generator": part,
        "discriminator": None,
        "input": Input("noise", ["latent", "label"], None),
        "output": Output(64, 3, [-1.0, 1.0], "RGB"),
        "labels": {"hair": ["pink", "dark_blue"], "skin": ["fair"]},
        "plugins": {"ganzoo": "0.1.0"},
        "files": {"model.safetensors": File(sha("w"), 100, 20)},
        "licences": Licences("Apache-2.0", "CC-BY-4.0", "CC-BY-4.0"),
        "training": training,
    }
    return Config(**given | changes)


def painter(**changes: Any) -> Config:
    """A generator of pictures from photos, of somebody's plugin, imported from elsewhere."""
    imported = {"format": "x-npy", "url": "https://x.example/a?b=c", "licence": "unknown"}
    given: dict[str, Any] = {
        "generator": Part("x/painter", {}, "x", "x-gan", "1.2"),
        "input": Input("image", ["photo"], None),
        "output": Output(None, 3, [-1.0, 1.0], "RGB"),
        "labels": None,
        "plugins": {"x-gan": "1.2"},
        "licences": Licences("MIT", "https://x.example/terms", None),
        "training": {"imported": imported},
    }
    return noise(**given | changes)
