"""The challenge's own options, by its names and with its defaults, as a training recipe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from pixelproof.errors import CallError, CheckpointError, did_you_mean
from pixelproof.models.training.isp.tf1_checkpoint import checkpoint_prefix, iterations_in
from pixelproof.models.training.recipe import Content, Data, Loop, Optimizer, TrainingRecipe, Validation

ADAM_EPSILON = 1e-8  # of TF1's Adam
REDRAWN_AFTER = 1000  # iterations; fixed in the challenge's script
LOSS = {"mse": 20.0, "content": 1.0, "ssim": 20.0}
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True)
class IspOptions:
    """Options of the challenge's ``train_model.py``, then two of ours.

    Attributes:
        dataset_dir: folder that holds ``train/`` and ``val/``.
        model_dir: for checkpoints, logs and the run's folder.
        result_dir: for pictures, with ``save_mid_imgs``.
        vgg_dir: VGG-19's weights, a file; "" trains without the content loss.
        dslr_dir, phone_dir: folders in ``train/`` and ``val/`` with pictures and with mosaics.
        arch, num_maps_base, inst_norm: the network.
        level: of the network's pyramid; punet has only 0.
        restore_iter: iteration whose checkpoint to begin from; 0 for none, None for the newest one in model_dir.
        patch_w, patch_h: width and height of mosaics and pictures.
        batch_size, learning_rate: of a step.
        train_size: pairs drawn at a time, anew every 1000 iterations.
        eval_step: iterations between measurements and checkpoints.
        num_train_iters: the last iteration, restored ones included.
        save_mid_imgs: whether pictures are written with every measurement.
        augment: see `IspData`.
        seed: of all that is random.
    """

    dataset_dir: str = "raw_images/"
    model_dir: str = "models/"
    result_dir: str = "results/"
    vgg_dir: str = "vgg_pretrained/imagenet-vgg-verydeep-19.mat"
    dslr_dir: str = "fujifilm/"
    phone_dir: str = "mediatek_raw/"
    arch: str = "punet"
    level: int = 0
    inst_norm: bool = False
    num_maps_base: int = 16
    restore_iter: int | None = None
    patch_w: int = 256
    patch_h: int = 256
    batch_size: int = 32
    train_size: int = 5000
    learning_rate: float = 5e-5
    eval_step: int = 1000
    num_train_iters: int = 100000
    save_mid_imgs: bool = False
    augment: Literal["bayer", "public", "none"] = "bayer"
    seed: int = 0


def with_words(options: IspOptions, words: Iterable[str]) -> IspOptions:
    """The options with 2021's ``key=value`` words laid over them.

    Raises:
        CallError: no ``=``, an unknown key, or a value of another kind.
    """
    given: dict[str, Any] = {}
    kinds = {field.name: str(field.type) for field in fields(IspOptions)}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or key not in kinds:
            remedy = did_you_mean(key, list(kinds))
            raise CallError("Arguments must be options as key=value", found=repr(word), remedy=remedy)
        given[key] = _value(kinds[key], text, key=key)
    return replace(options, **given)


def restored_iteration(options: IspOptions) -> int:
    """The iteration to go on from; 0 for the beginning.

    Raises:
        CheckpointError: model_dir has no checkpoint of ``restore_iter``.
    """
    there = iterations_in(Path(options.model_dir), arch=options.arch)
    if options.restore_iter is None:
        return there[-1] if there else 0
    if options.restore_iter <= 0:
        return 0
    if options.restore_iter not in there:
        prefix = checkpoint_prefix(Path(options.model_dir), arch=options.arch, iteration=options.restore_iter)
        remedy = f"In that folder: iterations {', '.join(map(str, there)) or 'none'}."
        raise CheckpointError("restore_iter must name a checkpoint", found=f"none at {prefix}", remedy=remedy)
    return options.restore_iter


def isp_recipe(options: IspOptions) -> TrainingRecipe:
    """The recipe of the challenge for these options; its paths are whole, so that a run can be resumed anywhere.

    Loss: 20 MSE + content (VGG-19, relu5_4) + 20 (1 - SSIM); Adam at a constant rate.

    Source: ``train_model.py`` and ``utils.py`` of MediaTek-NeuroPilot/mai21-learned-smartphone-isp.

    Raises:
        CallError: an option that can't be.
        CheckpointError: there is nothing to restore.
    """
    _check(options)
    restored = restored_iteration(options)
    epochs, rest = divmod(options.num_train_iters - restored, options.eval_step)
    if epochs < 1 or rest:
        found = f"{options.num_train_iters} after {restored}, with an eval_step of {options.eval_step}"
        remedy = f"Such as num_train_iters={restored + max(epochs, 1) * options.eval_step}."
        if options.restore_iter is None and restored:
            remedy += " restore_iter=0 begins anew."
        rule = "num_train_iters must lie one or more whole eval_step after the restored iteration"
        raise CallError(rule, found=found, remedy=remedy)
    folder, model_dir = Path(options.dataset_dir), Path(options.model_dir).absolute()
    start = checkpoint_prefix(model_dir, arch=options.arch, iteration=restored) if restored else ""
    content = Content(str(Path(options.vgg_dir).absolute()), "relu5_4") if options.vgg_dir else None
    return TrainingRecipe(
        id="mai2021-isp",
        title="MAI 2021: learned smartphone ISP",
        model=options.arch,
        model_options={"num_maps_base": options.num_maps_base, "instance_norm": options.inst_norm},
        start=str(start),
        scale=2,
        seed=options.seed,
        data=Data(
            kind="isp",
            train=str((folder / "train").absolute()),
            validation=str((folder / "val").absolute()),
            options={
                "phone_dir": options.phone_dir.rstrip("/"),
                "dslr_dir": options.dslr_dir.rstrip("/"),
                "patch_h": options.patch_h,
                "patch_w": options.patch_w,
                "train_size": options.train_size,
                "redraw_every": REDRAWN_AFTER * options.batch_size,
                "augment": options.augment,
                "model_dir": str(model_dir),
                "result_dir": str(Path(options.result_dir).absolute()) if options.save_mid_imgs else "",
                "first_iteration": restored,
            },
        ),
        training=Loop(batch_size=options.batch_size, epochs=epochs, steps_per_epoch=options.eval_step),
        optimizer=Optimizer(learning_rate=options.learning_rate, epsilon=ADAM_EPSILON),
        validation=Validation(round_to_8_bit=False),
        loss={name: weight for name, weight in LOSS.items() if name != "content" or content is not None},
        content=content,
    )


def _check(options: IspOptions) -> None:
    if options.level != 0:
        remedy = "Other levels belong to PyNET, where this script comes from."
        raise CallError("level must be 0: punet has no other", found=str(options.level), remedy=remedy)
    for name in ("batch_size", "train_size", "eval_step", "num_train_iters", "patch_w", "patch_h"):
        if getattr(options, name) < 1:
            raise CallError(f"{name} must be 1 or more", found=str(getattr(options, name)))
    if not 0 < options.learning_rate < float("inf"):
        raise CallError("learning_rate must be above 0", found=str(options.learning_rate))


def _value(kind: str, text: str, *, key: str) -> Any:
    try:
        if kind == "bool":
            if text.lower() not in (*_TRUE, *_FALSE):
                raise ValueError
            return text.lower() in _TRUE
        if "int" in kind:
            return None if text == "None" and "None" in kind else int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        wanted = {"bool": "True or False", "float": "a number"}.get(kind, "a whole number")
        raise CallError(f"{key} must be {wanted}", found=repr(text)) from None
    if kind.startswith("Literal") and repr(text) not in kind and f'"{text}"' not in kind:
        raise CallError(f"{key} must be bayer, public or none", found=repr(text))
    return text
