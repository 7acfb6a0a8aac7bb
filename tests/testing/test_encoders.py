"""The contracts of encoders, and of networks that are handed an extractor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo import hookimpl
from ganzoo.interfaces import Discriminator, Encoder, Extractor
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.testing import contracts


class GoodEncoder(Encoder):
    """Draws codes around a linear layer of the pooled image.

    Args:
        latent: length of the code.
    """

    def __init__(self, latent: int = 6):
        super().__init__()
        self.layer = nn.Linear(3 * 16, latent)

    def forward(self, image: Tensor) -> Tensor:
        code: Tensor = self.layer(nn.functional.adaptive_avg_pool2d(image, 4).flatten(1))
        return code + torch.randn_like(code) if self.training else code


class Restless(GoodEncoder):
    """Draws in eval mode too."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image) + torch.rand(())


class Flat(GoodEncoder):
    """Gives maps."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image)[..., None]


class Loud(GoodEncoder):
    """Divides by zero."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image) / 0


class Sees(Discriminator):
    """Judges the maps of an extractor, which is no part of its weights.

    Args:
        extractor: whose maps are judged.
        other: another one, which is not used.
    """

    def __init__(self, extractor: Extractor, other: Extractor | None = None):
        super().__init__()
        assert other is None
        self.extractor = (extractor,)
        with torch.no_grad():
            features = extractor(torch.zeros(1, 3, 32, 32))
        self.heads_by_layer = nn.ModuleDict(
            {name: nn.Conv2d(value.shape[1], 1, 1) for name, value in features.items()}
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.extractor[0](image)
        logits = [head(features[name]).flatten(1) for name, head in self.heads_by_layer.items()]
        return torch.cat(logits, dim=1)


def problems(register: Callable[[Any], None], kind: str) -> dict[str, str]:
    """Promise -> what is said of it, for each that is broken."""

    class Plugin:
        pass

    setattr(Plugin, f"register_{kind}s", hookimpl(register))
    register.__name__ = f"register_{kind}s"
    plugins = Plugins()
    added = plugins.add(Plugin, Origin("acme", "ganzoo-acme", "1"))
    assert added.error is None, added.error
    found = {}
    for contract in contracts("acme", plugins):
        try:
            contract()
        except AssertionError as error:
            found[contract.promise] = str(error)
    return found


@pytest.mark.parametrize(
    ("cls", "promise", "reason"),
    [
        (GoodEncoder, "", ""),
        (Restless, "in eval mode each image", "something else at every call"),
        (Flat, "gives finite codes", "not (1, length of the code)"),
        (Loud, "gives finite codes", "NaN or infinite"),
    ],
)
def test_encoders(cls: type[Encoder], promise: str, reason: str) -> None:
    def register(self: Any, register: Any) -> None:
        register("acme", cls)

    found = problems(register, "encoder")
    if not promise:
        assert found == {}
        return
    (text,) = [text for key, text in found.items() if promise in key]
    assert reason in text


def test_a_discriminator_that_is_handed_an_extractor() -> None:
    def register(self: Any, register: Any) -> None:
        register("acme", Sees)

    assert problems(register, "discriminator") == {}
