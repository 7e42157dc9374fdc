"""Training data of the kind ``isp``: packed Bayer planes to an RGB picture of twice their size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from pixelproof.bayer import CFA_ORDERS, MAI2021_WHITE_LEVEL, unpack_bayer
from pixelproof.contract import Contract
from pixelproof.errors import ImageError, RecipeError, ShapeMismatch
from pixelproof.images import read_rgb8, unit_from_8bit
from pixelproof.models.training.data.training_data import DataKind, Sample, Setting, Skipped, rng_of
from pixelproof.models.training.isp.augment import Turn, random_turn, turn_mosaic, turn_packed
from pixelproof.models.training.isp.pairs import Found, Pair, Size, SizeRule, find_pairs
from pixelproof.models.training.recipe import TrainingRecipe
from pixelproof.raw import read_raw

LARGEST_PLAUSIBLE = 2.0
"""A RAW value above this many white levels means that the white level is another."""

_DRAW = 1
_TRIED = 8
_COSTLY_PIXELS = 256 * 256  # 5 ms a sample, nearly all of it Pillow's decoding

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class IspData:
    """Keys of ``[data]`` for the kind ``isp``; the first five have the challenge's names and defaults.

    Attributes:
        phone_dir, dslr_dir: folders with RAW mosaics and with pictures, in ``train`` and in ``validation``.
        patch_h, patch_w: height and width of every mosaic and picture to learn from.
        train_size: pairs that are drawn at a time; batches come from them, with repetition.
        redraw_every: samples after which others are drawn; the challenge's 1000 batches of 32.
        augment: ``bayer`` turns and mirrors mosaics with the colours at their places; ``public`` turns the packed
            planes, as the challenge's public code does; ``none``.
        cfa: colours of the mosaics' top left 2x2 cell, row by row.
        white_level, black_level: the values that become 1 and 0.
        validation_images: at most so many pairs to measure on, spread over all; 0 for all.
        model_dir: folder for 2021's checkpoints and logs; "" for none.
        result_dir: folder for pictures beside their targets, after each epoch; "" for none.
        first_iteration: the number that iterations are counted from in names and logs.
    """

    phone_dir: str = "mediatek_raw"
    dslr_dir: str = "fujifilm"
    patch_h: int = 256
    patch_w: int = 256
    train_size: int = 5000
    redraw_every: int = 32000
    augment: Literal["bayer", "public", "none"] = "bayer"
    cfa: str = "RGGB"
    white_level: float = MAI2021_WHITE_LEVEL
    black_level: float = 0.0
    validation_images: int = 0
    model_dir: str = ""
    result_dir: str = ""
    first_iteration: int = 0


class IspPairs:
    """RAW patches and their pictures; can be pickled."""

    def __init__(
        self,
        options: IspData,
        *,
        seed: int,
        train: tuple[Pair, ...],
        measured: tuple[Pair, ...],
        skipped: tuple[Skipped, ...],
    ) -> None:
        self.options = options
        self.skipped = skipped
        self._seed = seed
        self._train = train
        self._measured = measured

    @property
    def samples_per_epoch(self) -> int:
        """Pairs that can be used."""
        return len(self._train)

    @property
    def costly(self) -> bool:
        """Whether a patch is so large that reading it takes milliseconds."""
        return self.options.patch_h * self.options.patch_w >= _COSTLY_PIXELS

    def pair_of(self, number: int) -> tuple[Pair, Turn]:
        """Which pair a sample is, and how it is turned."""
        block = number // self.options.redraw_every
        drawn = _draw(self._seed, block, len(self._train), min(self.options.train_size, len(self._train)))
        rng = rng_of(self._seed, number)
        pair = self._train[int(drawn[rng.integers(len(drawn))])]
        turn = random_turn(rng, square=self.options.patch_h == self.options.patch_w)
        return pair, Turn() if self.options.augment == "none" else turn

    def sample(self, number: int) -> Sample:
        """One patch: planes (patch_h / 2, patch_w / 2, 4), picture (patch_h, patch_w, 3).

        Raises:
            ImageError: the file has changed since it was checked, or its pixels are damaged.
        """
        pair, turn = self.pair_of(number)
        mosaic, picture = _read(pair)
        if self.options.augment == "bayer":
            mosaic, picture = turn_mosaic(mosaic, picture, turn, cfa=self.options.cfa)
        planes = _planes(mosaic, self.options)
        if self.options.augment == "public":
            planes, picture = turn_packed(planes, picture, turn)
        return _sample(planes, picture, pair)

    def validation(self) -> Sequence[Sample]:
        """The pairs to measure on, as they are."""
        return HeldOut(self.options, self._measured)


class HeldOut(Sequence[Sample]):
    """Pairs to measure on, each read when it is asked for."""

    def __init__(self, options: IspData, pairs: tuple[Pair, ...]) -> None:
        self._options, self._pairs = options, pairs

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, place: int) -> Sample: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Sample]: ...
    def __getitem__(self, place: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(place, slice):
            return HeldOut(self._options, self._pairs[place])
        mosaic, picture = _read(self._pairs[place])
        return _sample(_planes(mosaic, self._options), picture, self._pairs[place])


def open_isp(options: IspData, setting: Setting) -> IspPairs:
    """Find and check the files.

    Raises:
        RecipeError: the model takes or gives something else, or an option can't be.
        ImageError: a folder is missing, no pair can be used, or the white level is another.
    """
    _check(options, setting)
    patch = options.patch_h, options.patch_w

    def other_than_patch(size: Size) -> str:
        return "" if size == patch else f"{size[0]}x{size[1]}, not patch_h x patch_w, {patch[0]}x{patch[1]}"

    train = _found(setting.train, options, other_than_patch)
    measured = Found((), ())
    if setting.validation is not None:
        measured = held_out(setting.validation, options, setting.contract)
    _check_levels(_spread(train.pairs, _TRIED), options)
    return IspPairs(
        options,
        seed=setting.seed,
        train=train.pairs,
        measured=measured.pairs,
        skipped=train.skipped + measured.skipped,
    )


def held_out(folder: Path, options: IspData, contract: Contract) -> Found:
    """The pairs to measure on, of any sizes that the model takes.

    Raises:
        ImageError: a folder is missing, or no pair can be used.
    """
    found = _found(folder, options, lambda size: _not_allowed(size, contract))
    return Found(_spread(found.pairs, options.validation_images), found.skipped)


def _hooks(recipe: TrainingRecipe, told: Callable[[str], None]) -> Sequence[Callable[[Any, Any], None]]:
    from pixelproof.models.training.isp.epoch_end import hooks_of  # not at the top: it needs Keras

    return hooks_of(recipe, told=told)


KIND = DataKind(name="isp", options=IspData, open=open_isp, paths=("model_dir", "result_dir"), hooks=_hooks)


def _found(folder: Path, options: IspData, why_not: SizeRule) -> Found:
    return find_pairs(
        folder,
        phone_dir=options.phone_dir,
        dslr_dir=options.dslr_dir,
        white_level=options.white_level,
        why_not=why_not,
    )


def _check(options: IspData, setting: Setting) -> None:
    contract = setting.contract
    if contract.channels != (4, 3) or contract.scale != 2:
        found = f"{contract.channels[0]} in, {contract.channels[1]} out, scale {contract.scale}"
        rule = "Data of kind isp is for models that take 4 planes and give RGB of twice their size"
        raise RecipeError(rule, found=found, remedy='Such as model = "punet".')
    if setting.scale != contract.scale:
        raise RecipeError("scale must be 2 for data of kind isp", found=str(setting.scale))
    if options.cfa.upper() not in CFA_ORDERS:
        remedy = f"Choices: {', '.join(CFA_ORDERS)}."
        raise RecipeError("data.cfa must be an order of colours", found=repr(options.cfa), remedy=remedy)
    if not options.white_level > options.black_level:
        found = f"{options.white_level:g} and {options.black_level:g}"
        raise RecipeError("data.white_level must be above data.black_level", found=found)
    for name in ("train_size", "redraw_every"):
        if getattr(options, name) < 1:
            raise RecipeError(f"data.{name} must be 1 or more", found=str(getattr(options, name)))
    for name in ("validation_images", "first_iteration"):
        if getattr(options, name) < 0:
            raise RecipeError(f"data.{name} must be 0 or more", found=str(getattr(options, name)))
    if wrong := _not_allowed((options.patch_h, options.patch_w), contract):
        raise RecipeError("data.patch_h and data.patch_w must be sides that the model takes", found=wrong)


def _not_allowed(size: Size, contract: Contract) -> str:
    """Why a mosaic of this height and width isn't for the model; "" where it is."""
    height, width = size
    if height % 2 == 0 and width % 2 == 0 and contract.allows(height // 2, width // 2):
        return ""
    least, multiple = 2 * contract.minimum_size, 2 * contract.size_multiple
    return f"{height}x{width}; the model takes multiples of {multiple}, at least {least}"


@lru_cache(maxsize=4)
def _draw(seed: int, block: int, available: int, size: int) -> npt.NDArray[np.int64]:
    """Numbers of the pairs that one block of samples comes from."""
    return rng_of(seed, block, _DRAW).choice(available, size, replace=False)


def _spread(pairs: tuple[Pair, ...], most: int) -> tuple[Pair, ...]:
    if most == 0 or most >= len(pairs):
        return pairs
    return tuple(pairs[index * len(pairs) // most] for index in range(most))


def _read(pair: Pair) -> tuple[Array, Array]:
    mosaic, picture = read_raw(pair.mosaic).mosaic, read_rgb8(pair.picture)
    if mosaic.shape != picture.shape[:2]:
        found = f"{mosaic.shape} in {pair.mosaic} and {picture.shape[:2]} in {pair.picture}"
        raise ShapeMismatch("A mosaic and its picture must have one size", found=found)
    return mosaic, picture


def _planes(mosaic: Array, options: IspData) -> Array:
    return unpack_bayer(
        mosaic, cfa=options.cfa, white_level=options.white_level, black_level=options.black_level
    )


def _sample(planes: Array, picture: Array, pair: Pair) -> Sample:
    target = unit_from_8bit(np.ascontiguousarray(picture))
    return Sample(input=np.ascontiguousarray(planes), target=target, name=str(pair.mosaic))


def _check_levels(pairs: tuple[Pair, ...], options: IspData) -> None:
    for pair in pairs:
        brightest = int(read_raw(pair.mosaic).mosaic.max())
        if brightest - options.black_level > LARGEST_PLAUSIBLE * (options.white_level - options.black_level):
            rule = f"A RAW image must not be far brighter than its white level, {options.white_level:g}"
            remedy = "Give the sensor's own as white_level, such as 4095 for 12 bit."
            raise ImageError(rule, found=f"values up to {brightest} in {pair.mosaic}", remedy=remedy)
