"""Scores of a fake beside its real twin."""

import pytest
import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo_metrics.lpips_target import LPIPSTarget
from ganzoo_metrics.pixels import Pixels
from ganzoo_metrics.psnr import PSNR
from ganzoo_metrics.ssim import SSIM

GROUP = torch.arange(3)


def pictures(tilt: float) -> Tensor:
    """Three pictures of waves, (3, 3, 40, 48), in steps of 1/127.5."""
    y, x = torch.meshgrid(torch.arange(40), torch.arange(48), indexing="ij")
    waves = [
        torch.stack([torch.sin(0.1 * (i + 1) * x + 0.07 * tilt * y + c) for c in range(3)])
        for i in range(3)
    ]
    return (torch.stack(waves) * 127.5).round() / 127.5


def score(evaluator: Pixels | PSNR | SSIM, real: Tensor, fake: Tensor) -> float:
    evaluator.pair(real, fake, torch.arange(len(fake)) % 10)
    (value,) = evaluator.compute().values()
    return value


def test_psnr_is_that_of_scikit_image_and_torchmetrics() -> None:
    # scikit-image 0.26: peak_signal_noise_ratio(Y, Y', data_range=255), Y = rgb2ycbcr(...)[..., 0];
    # torchmetrics 1.9: peak_signal_noise_ratio(Y', Y, data_range=255.0) gives 18.6927006 in float32
    found = score(PSNR(), pictures(1.0), pictures(1.3))
    assert found == pytest.approx(18.692701139742955, abs=1e-6)


def test_ssim_is_that_of_scikit_image() -> None:
    # scikit-image 0.26: structural_similarity(Y, Y', data_range=255, gaussian_weights=True,
    # sigma=1.5, use_sample_covariance=False)
    found = score(SSIM(), pictures(1.0), pictures(1.3))
    assert found == pytest.approx(0.7935453642162983, abs=1e-6)


def test_pixels_is_the_mean_difference() -> None:
    real = torch.zeros(2, 3, 4, 4)
    fake = real.clone()
    fake[0] += 0.5  # a quarter of the range
    fake[1, 0] -= 1  # half the range, of one channel
    assert score(Pixels(), real, fake) == pytest.approx((1 / 4 + 1 / 6) / 2)


def test_equal_images_have_the_best_score() -> None:
    real = pictures(1.0)
    assert score(PSNR(), real, real) == pytest.approx(100)
    assert score(SSIM(), real, real) == pytest.approx(1)
    assert score(Pixels(), real, real) == 0
    same = {"lpips": real.flatten(1)}
    lpips = LPIPSTarget()
    lpips.pair(same, same, GROUP)
    assert lpips.compute() == {"lpips-target": 0}


def test_lpips_is_the_squared_distance_of_its_vectors() -> None:
    scores = LPIPSTarget()
    scores.pair({"lpips": torch.zeros(2, 4)}, {"lpips": torch.eye(2, 4) * 0.5}, GROUP[:2])
    assert scores.compute() == {"lpips-target": pytest.approx(0.25)}
    with pytest.raises(DataError, match="not finite"):
        scores.pair({"lpips": torch.zeros(1, 1)}, {"lpips": torch.full((1, 1), torch.nan)}, GROUP)


@pytest.mark.parametrize("kind", [Pixels, PSNR, SSIM])
def test_what_cannot_be_compared_is_refused(kind: type[Pixels | PSNR | SSIM]) -> None:
    with pytest.raises(DataError, match="32x32 pixels and the fakes 48x40"):
        score(kind(), torch.zeros(3, 3, 32, 32), pictures(1))
    with pytest.raises(DataError, match="at least one pair"):
        kind().compute()


def test_windows_need_room() -> None:
    with pytest.raises(DataError, match="11x11"):
        score(SSIM(), torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
