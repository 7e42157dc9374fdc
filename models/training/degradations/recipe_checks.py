"""What a recipe must keep to beyond the types of its values."""

from __future__ import annotations

from collections.abc import Iterable

from pixelproof.models.training.degradations.recipe import Colour, Final, Recipe, Round
from pixelproof.schema import Fail

_MOST_SCALE = 16
_MOST_KERNEL = 101
_LARGEST = 100.0


def check_recipe(recipe: Recipe, fail: Fail) -> None:
    """Raise what ``fail`` makes for the first value that can't be."""
    if not 1 <= recipe.scale <= _MOST_SCALE:
        raise fail("scale", f"must be from 1 to {_MOST_SCALE}", str(recipe.scale), "")
    _check_round("first", recipe.first, fail)
    if recipe.second is not None:
        _check_round("second", recipe.second, fail)
        if recipe.second.downsample_range is not None:
            raise fail("second.downsample_range", "must stand in the table first", "it in second", "")
    _check_final(recipe.final, fail)
    if recipe.color is not None:
        _check_colour(recipe.color, fail)


def _check_round(here: str, given: Round, fail: Fail) -> None:
    _check_sizes(f"{here}.kernel_sizes", given.kernel_sizes, fail)
    if len(given.kernel_prob) != len(given.kernel_list):
        found = f"{len(given.kernel_prob)} for {len(given.kernel_list)} kernels"
        raise fail(f"{here}.kernel_prob", "must have a number for each of kernel_list", found, "")
    _check_sum(f"{here}.kernel_prob", given.kernel_prob, fail)
    _check_sum(f"{here}.resize_prob", given.resize_prob, fail)
    if not given.resize_methods:
        raise fail(f"{here}.resize_methods", "must name at least one method", "none", "")
    for key in ("blur_prob", "sinc_prob", "gaussian_noise_prob", "gray_noise_prob"):
        _check_share(f"{here}.{key}", getattr(given, key), fail)
    limits = {
        "blur_sigma": (0.01, _LARGEST), "noise_range": (0.0, 255.0), "betag_range": (0.01, _LARGEST),
        "betap_range": (0.01, _LARGEST), "resize_range": (0.01, 8.0), "downsample_range": (0.125, _LARGEST),
        "poisson_scale_range": (0.0, _LARGEST), "jpeg_range": (1.0, 100.0),
    }  # fmt: skip
    for key, (low, high) in limits.items():
        _check_range(f"{here}.{key}", getattr(given, key), low, high, fail)
    for key in ("betag_range", "betap_range", "resize_range"):
        low, high = getattr(given, key)
        if not low <= 1 <= high:
            raise fail(f"{here}.{key}", "must enclose 1", f"{low:g} to {high:g}", "")
    if given.gaussian_noise_prob < 1 and given.poisson_scale_range is None:
        rule = "must be given where gaussian_noise_prob is below 1"
        raise fail(f"{here}.poisson_scale_range", rule, "none", "")
    if given.downsample_range is not None and (given.resize_range != (1.0, 1.0) or given.resize_prob[2] != 1):
        rule = "must stand without resize_prob and resize_range"
        raise fail(f"{here}.downsample_range", rule, "both", "")


def _check_final(final: Final, fail: Fail) -> None:
    _check_sizes("final.kernel_sizes", final.kernel_sizes, fail)
    if not final.resize_methods:
        raise fail("final.resize_methods", "must name at least one method", "none", "")
    for key in ("sinc_prob", "sinc_first_prob"):
        _check_share(f"final.{key}", getattr(final, key), fail)


def _check_colour(colour: Colour, fail: Fail) -> None:
    for key in ("color_jitter_prob", "gray_prob", "color_jitter_pt_prob"):
        _check_share(f"color.{key}", getattr(colour, key), fail)
    _check_range("color.color_jitter_shift", (0.0, colour.color_jitter_shift), 0.0, 255.0, fail)
    for key in ("brightness", "contrast", "saturation"):
        _check_range(f"color.{key}", getattr(colour, key), 0.0, _LARGEST, fail)
    _check_range("color.hue", colour.hue, -0.5, 0.5, fail)


def _check_sizes(path: str, sizes: tuple[int, ...], fail: Fail) -> None:
    wrong = [size for size in sizes if size % 2 == 0 or not 3 <= size <= _MOST_KERNEL]
    if wrong or not sizes:
        rule = f"must be odd numbers from 3 to {_MOST_KERNEL}"
        raise fail(path, rule, str(wrong[0]) if wrong else "none", "")


def _check_share(path: str, share: float, fail: Fail) -> None:
    if not 0 <= share <= 1:
        raise fail(path, "must be from 0 to 1", f"{share:g}", "")


def _check_sum(path: str, shares: Iterable[float], fail: Fail) -> None:
    shares = tuple(shares)
    for share in shares:
        _check_share(path, share, fail)
    if not abs(sum(shares) - 1) < 1e-6:
        raise fail(path, "must sum to 1", f"{sum(shares):g}", "")


def _check_range(path: str, given: tuple[float, float] | None, low: float, high: float, fail: Fail) -> None:
    if given is not None and not low <= given[0] <= given[1] <= high:
        rule = f"must be two rising numbers from {low:g} to {high:g}"
        raise fail(path, rule, f"{given[0]:g} and {given[1]:g}", "")
