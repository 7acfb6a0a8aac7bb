"""Extractors: frozen networks whose features losses and evaluators share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_extractors(register: Register) -> None:
    """Add networks trained on ImageNet, LPIPS's, finders of landmarks, and a random one."""
    register("vgg19", "ganzoo_features.vgg19:VGG19")
    register("squeezenet", "ganzoo_features.squeezenet:SqueezeNet")
    register("efficientnet-lite0", "ganzoo_features.efficientnet:EfficientNetLite0")
    register("inception", "ganzoo_features.inception:Inception")
    register("vgg16", "ganzoo_features.vgg16:VGG16")
    register("lpips", "ganzoo_features.perceptual:LPIPS")
    register("random", "ganzoo_features.random:RandomFeatures")
    register("face68", "ganzoo_features.face68:Face68")
    register("fan", "ganzoo_features.fan:FAN")
