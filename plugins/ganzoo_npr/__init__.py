"""Non-photorealistic rendering: translators without weights, which every GAN has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Drawings that are computed, not learnt."""
    register("xdog", "ganzoo_npr.xdog:XDoG")
    register("l0", "ganzoo_npr.l0:L0")
    register("abstraction", "ganzoo_npr.abstraction:Abstraction")
    register("portrait-abstraction", "ganzoo_npr.portrait_abstraction:PortraitAbstraction")
    register("opie", "ganzoo_npr.opie:Opie")
    register("cel", "ganzoo_npr.cel:Cel")
    register("gbuffer-lines", "ganzoo_npr.gbuffer_lines:GBufferLines")
