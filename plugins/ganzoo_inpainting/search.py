"""Find the latent of a picture that is known in part.

Yeh et al. 2017, Semantic Image Inpainting with Deep Generative Models,
https://arxiv.org/abs/1607.07539, section 3.  The generator and the discriminator are frozen; the
latent moves until the generator's picture agrees with the known pixels (context, equation 4), those
near the hole above all (equation 3), and the discriminator takes it for real (prior, equation 5).

Departures from the paper:

- the context is divided by the sum of its weights, so that one rate suits holes of any size;
- the start is chosen: of many random latents those that agree best with the known pixels;
- latents are kept where 99 % of random ones are, by their numbers and by their length: the numbers'
  range is the paper's [-1, 1] if they are uniform there, and [-2.58, 2.58] if they are normal;
- the learning rate falls to 0 along a cosine, so that a few hundred steps suffice;
- labels, which the paper does not have, are searched too: each attribute in turn takes its best
  value while the latent stands still.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad, softplus

from ganzoo.interfaces import Generator

#: the paper's window around a pixel, of which the hole's share is the pixel's weight
WINDOW = 7
#: Adam's first learning rate, per standard deviation of the latents
RATE = 0.1
#: random latents from which each start is chosen
CANDIDATES = 16
#: steps between two searches of the labels, which end after half of all steps
LABELS_EVERY = 25


@dataclass(frozen=True)
class Match:
    """The best latent (1, ...) with its labels, and what the generator makes of it (3, H, W).

    ``context`` is the mean difference to the known pixels, weighted, in [0, 2].
    """

    latent: Tensor
    label: dict[str, str]
    image: Tensor
    context: float


def weights(hole: Tensor) -> Tensor:
    """Weigh known pixels by the hole's share of the window around them (equation 3).

    ``hole`` is bool (H, W).  Returns float (H, W), 0 in the hole.  Borders are mirrored, as in the
    authors' code.  Without a hole every pixel weighs 1.
    """
    if not hole.any():
        return torch.ones(hole.shape)
    side = WINDOW // 2
    mirrored = pad(hole.float()[None, None], [side] * 4, "reflect")
    return avg_pool2d(mirrored, WINDOW, 1)[0, 0] * ~hole


class Bounds:
    """Keeps latents (n, ...) where 99 % of random ones, ``drawn``, are."""

    def __init__(self, drawn: Tensor):
        self.deviation = float(drawn.std())
        self._most = float(_quantile(drawn.abs().flatten()))
        self._longest = float(_quantile(drawn.flatten(1).norm(dim=1)))

    def __call__(self, latent: Tensor) -> Tensor:
        """Return the nearest latents within the range, shortened to the length."""
        near = latent.clamp(-self._most, self._most)
        length = near.flatten(1).norm(dim=1).view(-1, *[1] * (near.ndim - 1))
        return near * (self._longest / length.clamp(min=1e-12)).clamp(max=1)


class Search:
    """A search for the latent that agrees with ``target`` (3, H, W) outside ``hole``, bool (H, W).

    ``label`` are the labels that are known; the others are searched.  ``critic`` judges images, for
    the ``prior``, its weight.
    """

    def __init__(
        self,
        generator: Generator,
        critic: nn.Module | None,
        target: Tensor,
        hole: Tensor,
        prior: float,
        label: Mapping[str, str],
    ):
        place = next(generator.parameters())
        self.generator, self.critic, self.prior = generator, critic, prior
        self.target, self.weight = target.to(place), weights(hole).to(place)
        #: all known pixels alike, for starts and labels: colours far from the hole tell much
        self.everywhere = (~hole).to(place)
        self.values = {name: list(values) for name, values in (generator.label or {}).items()}
        self.known = {
            column: values.index(label[name])
            for column, (name, values) in enumerate(self.values.items())
            if name in label
        }
        self._words = [_reads(generator), _reads(critic) if critic else set()]

    def run(
        self,
        steps: int,
        restarts: int,
        seed: int,
        start: Tensor | None = None,
        advance: Callable[[int], None] = lambda n: None,
    ) -> Match:
        """Take ``steps`` from ``restarts`` places at once, and return the best end.

        ``start`` (1, ...) is one of the places; the others are random, from ``seed``.
        """
        rng = torch.Generator().manual_seed(seed)
        keep = Bounds(self.generator.sample_latent(1024, rng))
        latent, label = self._places(restarts, rng, keep, start)
        latent.requires_grad_()
        optimizer = torch.optim.Adam([latent])
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = RATE * keep.deviation * (1 + math.cos(math.pi * step / steps)) / 2
            if step % LABELS_EVERY == 0 and step <= steps / 2:
                label = self._best_labels(latent, label)
            optimizer.zero_grad()
            self._losses(latent, label)[0].sum().backward()
            optimizer.step()
            with torch.no_grad():
                latent.copy_(keep(latent))
            advance(1)
        with torch.no_grad():
            losses, context, images = self._losses(latent, label)
        best = int(losses.argmin())
        chosen = [] if label is None else label[best].tolist()
        return Match(
            latent[best : best + 1].detach().cpu(),
            {
                name: values[index]
                for (name, values), index in zip(self.values.items(), chosen, strict=True)
            },
            images[best].clamp(-1, 1).cpu(),
            float(context[best]),
        )

    @torch.no_grad()
    def _places(
        self, restarts: int, rng: torch.Generator, keep: Bounds, start: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Choose the latents and labels to start from."""
        drawn = keep(self.generator.sample_latent(CANDIDATES * restarts, rng).to(self.target))
        label = self._random_labels(len(drawn), rng)
        losses = torch.cat(
            [
                self._losses(drawn[part], None if label is None else label[part], True)[0]
                for part in torch.arange(len(drawn)).split(restarts)
            ]
        )
        best = losses.argsort()[:restarts]
        latent, label = drawn[best], None if label is None else label[best]
        if start is not None:
            latent[0] = keep(start.to(latent))[0]
        return latent, label

    def _random_labels(self, n: int, rng: torch.Generator) -> Tensor | None:
        if not self.values:
            return None
        columns = [
            torch.full((n,), self.known[column])
            if column in self.known
            else torch.randint(len(values), (n,), generator=rng)
            for column, values in enumerate(self.values.values())
        ]
        return torch.stack(columns, 1).to(self.target.device)

    @torch.no_grad()
    def _best_labels(self, latent: Tensor, label: Tensor | None) -> Tensor | None:
        """Give each unknown attribute in turn its best value."""
        if label is None:
            return None
        for column, values in enumerate(self.values.values()):
            if column in self.known:
                continue
            trials = []
            for index in range(len(values)):
                trial = label.clone()
                trial[:, column] = index
                trials.append(self._losses(latent, trial, True)[0])
            label = label.clone()
            label[:, column] = torch.stack(trials).argmin(0)
        return label

    def _losses(
        self, latent: Tensor, label: Tensor | None, is_everywhere: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the losses (n,), their context parts (n,), and the images (n, 3, H, W)."""
        words = {"latent": latent} | ({} if label is None else {"label": label})
        of_generator, of_critic = self._words
        image = self.generator(**{k: v for k, v in words.items() if k in of_generator})
        weight = self.everywhere if is_everywhere else self.weight
        difference = (image - self.target).abs() * weight
        context = difference.sum((1, 2, 3)) / (3 * weight.sum())
        if self.critic is None or not self.prior:
            return context, context, image
        words["image"] = image
        logits = self.critic(**{k: v for k, v in words.items() if k in of_critic})
        # log(1 - sigmoid(logits)), which the paper minimises
        real = -softplus(logits).flatten(1).mean(1) if logits.ndim > 1 else -softplus(logits)
        return context + self.prior * real, context, image


def _quantile(values: Tensor) -> Tensor:
    return values.sort().values[int(0.99 * len(values))]


def _reads(network: nn.Module) -> set[str]:
    return set(inspect.signature(type(network).forward).parameters)
