"""The network of PyTorch's DCGAN tutorial, as if trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Tutorial(nn.Module):
    """The tutorial's generator, for any number of doublings."""

    def __init__(self, nz: int = 10, ngf: int = 4, nc: int = 3, doublings: int = 4, k: int = 4):
        super().__init__()
        layers: list[nn.Module] = []
        before = nz
        for i in reversed(range(doublings)):
            after = ngf * 2**i
            stride, padding = (1, 0) if before is nz and not layers else (2, 1)
            layers += [
                nn.ConvTranspose2d(before, after, k, stride, padding, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(True),
            ]
            before = after
        layers += [nn.ConvTranspose2d(ngf, nc, k, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z)


def trained(**arguments: int) -> Tutorial:
    torch.manual_seed(0)
    network = Tutorial(**arguments)
    for name, value in network.state_dict().items():
        if "running_var" in name or (value.ndim == 1 and "weight" in name):
            nn.init.uniform_(value, 0.5, 2)
        elif value.is_floating_point():
            nn.init.normal_(value, 0, 0.3)
    return network.eval()
