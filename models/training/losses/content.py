"""The difference of what VGG-19 sees in two pictures."""

from __future__ import annotations

from pathlib import Path

from keras import ops

from pixelproof.errors import ShapeMismatch
from pixelproof.models.training.losses.loss_kinds import ContentLoss, LossFunction, Tensor, float32_pair
from pixelproof.models.training.losses.vgg19 import features_model
from pixelproof.models.training.losses.vgg_reading import read_vgg19
from pixelproof.models.training.recipe import Content


def content_loss(content: Content) -> LossFunction:
    """Mean over places and channels of the squared difference of VGG-19's features.

    The pictures go in times 255, less the mean colour that the network was trained with. That is the loss of MAI
    2021's public code (train_model.py and vgg.py of mai21-learned-smartphone-isp, layer relu5_4) and of PyNET and
    DPED before it, with one difference: those swap height and width of the kernels in the .mat file, which holds them
    as they should be (see `read_mat`). Here the network is the one that was trained.

    Args:
        content: the weights' file and the layer.

    Returns:
        A loss function, see `Loss`; the pictures must be RGB.

    Raises:
        RecipeError: no such layer.
        CheckpointError: the weights are missing, damaged or of another network.
    """
    weights = read_vgg19(Path(content.weights), content.layer)
    model = features_model(weights, content.layer)

    def content_difference(target: Tensor, output: Tensor) -> Tensor:
        target, output = float32_pair(target, output)
        if output.shape[-1] != 3:
            raise ShapeMismatch(
                "The loss content must be given RGB pictures", found=f"{output.shape[-1]} channels"
            )
        mean = ops.convert_to_tensor(weights.mean, dtype="float32")
        seen = [model(images * 255.0 - mean, training=False) for images in (target, output)]
        return ops.mean(ops.square(seen[1] - seen[0]), axis=(1, 2, 3))

    return content_difference


LOSS = ContentLoss("content", content_loss)
