"""Adversarial losses, as BasicSR's ``GANLoss`` has them: pure functions of the discriminator's scores.

Scores are the discriminator's numbers without a last activation, float, of any shape; every loss is their mean, a
scalar. Real pictures are labelled 1, made ones 0.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from keras import ops

from pixelproof.errors import CallError, did_you_mean

Kind = Literal["vanilla", "lsgan", "hinge", "wgan"]


def real_loss(kind: Kind, scores: Any) -> Any:
    """What the discriminator wants low on real pictures.

    ``vanilla``: ``softplus(-s)``, the cross entropy of a sigmoid; ``lsgan``: ``(s - 1)^2``; ``hinge``:
    ``max(0, 1 - s)``; ``wgan``: ``-s``.

    Raises:
        CallError: no such kind.
    """
    match kind:
        case "vanilla":
            return ops.mean(ops.softplus(-scores))
        case "lsgan":
            return ops.mean(ops.square(scores - 1.0))
        case "hinge":
            return ops.mean(ops.relu(1.0 - scores))
        case "wgan":
            return -ops.mean(scores)
        case _:
            raise _unknown(kind)


def fake_loss(kind: Kind, scores: Any) -> Any:
    """What the discriminator wants low on pictures that the generator made.

    ``vanilla``: ``softplus(s)``; ``lsgan``: ``s^2``; ``hinge``: ``max(0, 1 + s)``; ``wgan``: ``s``.

    Raises:
        CallError: no such kind.
    """
    match kind:
        case "vanilla":
            return ops.mean(ops.softplus(scores))
        case "lsgan":
            return ops.mean(ops.square(scores))
        case "hinge":
            return ops.mean(ops.relu(1.0 + scores))
        case "wgan":
            return ops.mean(scores)
        case _:
            raise _unknown(kind)


def generator_loss(kind: Kind, scores: Any) -> Any:
    """What the generator wants low on its own pictures: that they are taken for real; with ``hinge``, ``-s``.

    Raises:
        CallError: no such kind.
    """
    return -ops.mean(scores) if kind == "hinge" else real_loss(kind, scores)


def check_kind(kind: str) -> None:
    """Refuse a kind that there is not.

    Raises:
        CallError: no such kind.
    """
    if kind not in get_args(Kind):
        raise _unknown(kind)


def _unknown(kind: str) -> CallError:
    kinds = get_args(Kind)
    return CallError(
        f"An adversarial loss must be one of {', '.join(kinds)}", found=kind, remedy=did_you_mean(kind, kinds)
    )
