"""A training recipe: which model learns from what, for how long, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Data:
    """What is learnt from.

    Attributes:
        kind: a kind of data, see `pixelproof.models.training.data`.
        train: folder to learn from.
        validation: folder to measure on; "" for none.
        options: all further keys of ``[data]``; the kind's own.
    """

    kind: str
    train: str
    validation: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Loop:
    """How long, and what is kept.

    Attributes:
        batch_size: samples a step, over all processes and devices.
        epochs: how many.
        steps_per_epoch: 0 for one pass over the data.
        save_every, validate_every, sample_every: epochs between checkpoints, validations, sample pictures; 0 never
            (the last epoch is always saved and validated).
        keep: checkpoints that are kept, the newest ones; 0 keeps all.
        deterministic: equal runs give equal bits, at some cost in time.
        precision: what the layers compute in; weights are float32.
        ema: decay of the moving average of weights that is validated and written; 0 for none.
    """

    batch_size: int = 16
    epochs: int = 100
    steps_per_epoch: int = 0
    save_every: int = 1
    validate_every: int = 1
    sample_every: int = 0
    keep: int = 3
    deterministic: bool = False
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    ema: float = 0.0


@dataclass(frozen=True)
class Optimizer:
    """The steps' direction and length.

    Attributes:
        name: of a Keras optimizer.
        learning_rate: at the beginning.
        schedule: ``constant``; ``cosine`` to zero over the whole run; ``cosine-restarts`` with periods of
            ``first_period`` steps, each ``period_factor`` times the one before and beginning at ``restart_factor``
            times its rate; ``steps``, multiplied by ``gamma`` at each of ``milestones``.
        beta_1, beta_2, epsilon: of Adam and its kin.
        clip_norm: bound of the gradients' global norm; 0 for none.
    """

    name: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine", "cosine-restarts", "steps"] = "constant"
    first_period: int = 0
    period_factor: float = 1.0
    restart_factor: float = 1.0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.5
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    clip_norm: float = 0.0


@dataclass(frozen=True)
class Content:
    """The network whose features the loss ``content`` compares: VGG-19.

    Attributes:
        weights: the user's ``imagenet-vgg-verydeep-19.mat``, or a Keras file.
        layer: name of the features, as in the VGG paper.
    """

    weights: str
    layer: str = "relu5_4"


@dataclass(frozen=True)
class Adversarial:
    """The adversarial stage.

    Attributes:
        weight: of the adversarial loss beside the others.
        kind: of that loss.
        features: of the discriminator's first layer.
        learning_rate: of the discriminator.
        from_epoch: the epoch (from 0) that it begins with.
    """

    weight: float = 0.1
    kind: Literal["vanilla", "lsgan", "hinge", "wgan"] = "vanilla"
    features: int = 64
    learning_rate: float = 1e-4
    from_epoch: int = 0


@dataclass(frozen=True)
class Validation:
    """How pictures are compared.

    Attributes:
        crop_border: pixels left out on each side.
        luma: whether PSNR is also measured on Y of BT.601.
        round_to_8_bit: whether outputs are rounded to the 8-bit picture first.
    """

    crop_border: int = 0
    luma: bool = False
    round_to_8_bit: bool = True


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that a run is determined by, its machine aside.

    Attributes:
        id, title: short name, and what it trains, in one line.
        model: a registered architecture.
        model_options: of the architecture.
        start: checkpoint to begin from, or "".
        scale: of the task.
        seed: of weights, order, augmentation and dropout.
        data, training, optimizer, validation: see there.
        loss: weights by name of loss; their sum is what falls.
        content: where the loss ``content`` is used.
        adversarial: None for none.
    """

    id: str
    model: str
    data: Data
    title: str = ""
    model_options: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    scale: int = 1
    seed: int = 0
    training: Loop = field(default_factory=Loop)
    optimizer: Optimizer = field(default_factory=Optimizer)
    validation: Validation = field(default_factory=Validation)
    loss: Mapping[str, float] = field(default_factory=lambda: {"l1": 1.0})
    content: Content | None = None
    adversarial: Adversarial | None = None
