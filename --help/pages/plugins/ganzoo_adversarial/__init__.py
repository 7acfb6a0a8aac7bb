"""Adversarial objectives, gradient penalties and DiffAugment, one paper per file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_losses(register: Register) -> None:
    """Add the objectives and the gradient penalties."""
    register("non-saturating", "ganzoo_adversarial.non_saturating:NonSaturating")
    register("lsgan", "ganzoo_adversarial.lsgan:LeastSquares")
    register("hinge", "ganzoo_adversarial.hinge:Hinge")
    register("wasserstein", "ganzoo_adversarial.wasserstein:Wasserstein")
    register("relativistic", "ganzoo_adversarial.relativistic:RelativisticPairing")
    register("r1", "ganzoo_adversarial.r1:R1")
    register("r2", "ganzoo_adversarial.r1:R2")
    register("gradient-penalty", "ganzoo_adversarial.gradient_penalty:GradientPenalty")
    register("dragan", "ganzoo_adversarial.dragan:Dragan")


@hookimpl
def register_transforms(register: Register) -> None:
    """Add DiffAugment, and plain functions for views."""
    register("diffaugment", "ganzoo_adversarial.diffaugment:DiffAugment")
    register("grayscale", "ganzoo_adversarial.views:Grayscale")
    register("blur", "ganzoo_adversarial.views:Blur")
