"""The recipe trains.  What components promise is tested by ganzoo: see pyproject.toml."""

from pathlib import Path

import ganzoo


def test_the_recipe_trains_and_its_model_draws(tmp_path: Path) -> None:
    small = {"stages.0.steps": 2, "dataset.count": 64, "checkpoint.every": 2, "samples.every": 2}
    run = ganzoo.train("acme", out=tmp_path / "run", overrides=small)
    images = run.model.sample(4, seed=0, as_tensor=True)
    assert images.shape == (4, 3, 32, 32)
    assert images.isfinite().all()
