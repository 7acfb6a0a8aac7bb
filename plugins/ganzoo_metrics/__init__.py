"""Scores: how realistic, diverse and new a model's images are, and how like the photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_evaluators(register: Register) -> None:
    """Add distances between sets of images, diversity, and likeness to photos and to twins."""
    register("fid", "ganzoo_metrics.frechet:FrechetDistance")
    register("kid", "ganzoo_metrics.kernel:KernelDistance")
    register("precision-recall", "ganzoo_metrics.precision_recall:PrecisionRecall")
    register("density-coverage", "ganzoo_metrics.density_coverage:DensityCoverage")
    register("vendi", "ganzoo_metrics.vendi:Vendi")
    register("diversity", "ganzoo_metrics.diversity:Diversity")
    register("lpips-diversity", "ganzoo_metrics.lpips_diversity:LPIPSDiversity")
    register("nearest", "ganzoo_metrics.nearest:Nearest")
    register("color", "ganzoo_metrics.color:Color")
    register("edges", "ganzoo_metrics.edges:Edges")
    register("likeness", "ganzoo_metrics.likeness:Likeness")
    register("lpips-photo", "ganzoo_metrics.lpips_photo:LPIPSPhoto")
    register("pixels", "ganzoo_metrics.pixels:Pixels")
    register("psnr", "ganzoo_metrics.psnr:PSNR")
    register("ssim", "ganzoo_metrics.ssim:SSIM")
    register("lpips-target", "ganzoo_metrics.lpips_target:LPIPSTarget")
    register("landmarks", "ganzoo_metrics.landmarks:Landmarks")
