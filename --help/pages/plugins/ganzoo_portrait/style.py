"""Style: Image Style Transfer Using CNNs, Gatys, Ecker and Bethge 2016 (CVPR), equations 3 to 5."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import mse_loss

from ganzoo.interfaces import Loss
from ganzoo_portrait._features import grams, mean_over_layers


class Style(Loss):
    """Gives the fake the style of the real images: Gram matrices at all layers (Gatys 2016).

    The style is the mean Gram matrix of the batch of real images.  Fakes and reals are not paired,
    and the gradient of the squared distance to each real, averaged, is that to their mean: taking
    the mean first gives the same with less noise.  With one style image it is the paper's loss.

    Layers count equally (the paper's w = 1/5). Gram matrices are divided by C·H·W so that size
    does not matter; a layer's value is then 4/C² of the paper's equation 4. The paper's layers
    are conv1_1, conv2_1, conv3_1, conv4_1 and conv5_1 of VGG19.
    """

    def generator(
        self, fake_features: dict[str, Tensor], real_features: dict[str, Tensor]
    ) -> Tensor:
        """Mean over layers of the mean (Gram(G(p)) - mean Gram(x))²."""

        def squared_distance(gram: Tensor, style: Tensor) -> Tensor:
            return mse_loss(gram, style.expand_as(gram))

        styles = {
            layer: gram.mean(dim=0, keepdim=True)
            for layer, gram in grams(real_features, "style").items()
        }
        return mean_over_layers(squared_distance, grams(fake_features, "style"), styles)
