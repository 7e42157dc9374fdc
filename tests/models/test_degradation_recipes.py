"""Recipes: what they draw, what is refused, and that a picture depends on seed and index alone."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelproof.errors import CallError, ImageError, RecipeError
from pixelproof.models.training.degradations import bands, blur, jpeg, kernels, pipeline, sharpen
from pixelproof.models.training.degradations.plan import Ending, Noise, Plan, Resize, Step, draw_plan
from pixelproof.models.training.degradations.recipe import Recipe, smallest_side
from pixelproof.models.training.degradations.recipe_file import (
    bundled_recipes,
    changed,
    load_recipe,
    parse_recipe,
)

RECIPES = ("ai6126", "gfpgan", "real-esrgan")
FOLDER = Path(__file__).resolve().parents[2] / "models" / "training" / "recipes"

EXPECTED = Plan(
    sharpen=True,
    first=Step(
        kernels.Bell(17, "gaussian", (1.0404655977514312, 1.0404655977514312)),
        Resize("bicubic", 438, 438, 0.8569827347062131),
        Noise("poisson", 0.9624731580452556, True, 2568023004994447682),
        61.469131444435604,
    ),
    second=Step(
        kernels.Bell(13, "plateau", (1.230460494977879, 1.0088329982735116), 3.0722272157111794, 1.0),
        Resize("bilinear", 41, 41),
        Noise("poisson", 0.7259987367216693, False, 5803587840527252664),
        82.85294116498784,
    ),
    ending=Ending(Resize("area", 128, 128), kernels.Sinc(13, 1.071898900530322), True),
    colour=None,
    jpeg_tables="transposed",
)


def _plans(name: str, count: int = 1500, *, side: int = 512) -> list[Plan]:
    recipe = load_recipe(name)
    return [draw_plan(recipe, height=side, width=side, seed=3, index=i) for i in range(count)]


def _picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(9)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3))
    fine = rng.integers(-9, 10, (height, width, 3))
    return np.clip(coarse.repeat(8, 0).repeat(8, 1)[:height, :width] + fine, 0, 255).astype(np.uint8)


def test_the_bundled_recipes_are_found() -> None:
    assert bundled_recipes() == RECIPES  # and not the recipe of a training, which lies in the same folder
    for name in RECIPES:
        assert load_recipe(name).id == name


def test_ai6126_has_the_courses_numbers() -> None:
    recipe = load_recipe("ai6126")
    first, second = recipe.first, recipe.second
    assert second is not None
    assert (first.resize_prob, first.resize_range) == ((0.2, 0.7, 0.1), (0.2, 1.5))
    assert (second.resize_prob, second.resize_range) == ((0.3, 0.4, 0.3), (0.3, 1.2))
    assert (first.noise_range, second.noise_range) == ((1, 20), (1, 15))
    assert (first.poisson_scale_range, second.poisson_scale_range) == ((0.05, 2), (0.05, 1.5))
    assert (first.jpeg_range, second.jpeg_range) == ((50, 95), (70, 95))
    assert (first.blur_prob, second.blur_prob, recipe.final.sinc_prob) == (1, 0.8, 0.8)
    assert (first.blur_sigma, second.blur_sigma) == ((0.2, 3), (0.2, 1.5))
    for one in (first, second):
        assert (one.gaussian_noise_prob, one.gray_noise_prob, one.sinc_prob) == (0.5, 0.4, 0.1)
        assert one.kernel_prob == (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
        assert (one.betag_range, one.betap_range) == ((0.5, 4), (1, 2))
        assert one.kernel_sizes == tuple(range(7, 22, 2))
    assert recipe.scale == 4


def test_draws_come_as_often_as_the_recipe_says() -> None:
    plans = _plans("ai6126")
    sincs = [isinstance(plan.first.blur, kernels.Sinc) for plan in plans]
    assert np.mean(sincs) == pytest.approx(0.1, abs=0.03)
    shapes = Counter(plan.first.blur.shape for plan in plans if isinstance(plan.first.blur, kernels.Bell))
    assert shapes["gaussian"] / sum(shapes.values()) == pytest.approx(0.7, abs=0.04)
    sizes = [512 if plan.first.resize is None else plan.first.resize.height for plan in plans]
    assert np.mean([size > 512 for size in sizes]) == pytest.approx(0.2, abs=0.04)
    assert np.mean([size < 512 for size in sizes]) == pytest.approx(0.7, abs=0.04)
    assert 102 <= min(sizes) < 110 and 760 < max(sizes) <= 768
    seconds = [plan.second for plan in plans if plan.second is not None]
    assert len(seconds) == len(plans)
    assert np.mean([step.blur is None for step in seconds]) == pytest.approx(0.2, abs=0.04)
    assert np.mean([step.noise.kind == "gaussian" for step in seconds]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([step.noise.grey for step in seconds]) == pytest.approx(0.4, abs=0.04)
    assert all(step.jpeg_quality is not None and 70 <= step.jpeg_quality <= 95 for step in seconds)
    assert np.mean([plan.ending.low_pass is not None for plan in plans]) == pytest.approx(0.8, abs=0.04)
    assert np.mean([plan.ending.sinc_first for plan in plans]) == pytest.approx(0.5, abs=0.04)
    assert {plan.ending.resize.method for plan in plans} == {"area", "bilinear", "bicubic"}


def test_ranges_are_kept() -> None:
    for plan in _plans("ai6126"):
        for step, sigma in ((plan.first, 3.0), (plan.second, 1.5)):
            assert step is not None
            if isinstance(step.blur, kernels.Bell):
                assert 0.2 <= min(step.blur.sigma) <= max(step.blur.sigma) <= sigma
                assert step.blur.size in range(7, 22, 2)
                allowed = {"gaussian": (1, 1), "generalized": (0.5, 4), "plateau": (1, 2)}[step.blur.shape]
                assert allowed[0] <= step.blur.beta <= allowed[1]
            elif step.blur is not None:
                low = math.pi / 3 if step.blur.size < 13 else math.pi / 5
                assert low <= step.blur.cutoff <= math.pi
            if step.noise.kind == "poisson":
                assert 0.05 <= step.noise.strength <= 2
            else:
                assert 1 <= step.noise.strength <= 20


@pytest.mark.parametrize("name", RECIPES)
def test_a_picture_depends_on_seed_and_index_alone(name: str) -> None:
    recipe, image = load_recipe(name), _picture(96, 80)
    first = pipeline.degraded_pair(image, recipe, seed=7, index=3)
    pipeline.degraded_pair(image, recipe, seed=7, index=4)
    again = pipeline.degraded_pair(image.copy(), load_recipe(name), seed=7, index=3)
    assert first.plan == again.plan
    assert np.array_equal(first.degraded8, again.degraded8)
    assert np.array_equal(first.target8, again.target8)
    for seed, index in ((7, 4), (8, 3), (3, 7)):
        other = pipeline.degraded_pair(image, recipe, seed=seed, index=index)
        assert other.plan != first.plan
        assert not np.array_equal(other.degraded8, first.degraded8)


def test_draws_stay_what_they_are() -> None:
    """Another order of draws would make other pictures of everybody's seeds."""
    plan = draw_plan(load_recipe("ai6126"), height=512, width=512, seed=7, index=0)
    again = draw_plan(changed(load_recipe("ai6126"), gt_usm=False), height=512, width=512, seed=7, index=0)
    assert replace(plan, sharpen=False) == again
    assert plan == EXPECTED


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("size", [(76, 76), (83, 121)])
def test_sizes_and_ranges_come_out_right(name: str, size: tuple[int, int]) -> None:
    recipe = load_recipe(name)
    height, width = (side - side % recipe.scale for side in size)
    for index in range(25):
        pair = pipeline.degraded_pair(_picture(*size), recipe, seed=1, index=index)
        assert pair.target8.shape == (height, width, 3)
        assert pair.degraded8.shape == (height // recipe.scale, width // recipe.scale, 3)
        assert pair.target8.dtype == pair.degraded8.dtype == np.uint8


@pytest.mark.parametrize("name", RECIPES)
def test_the_smallest_size_is_enough_for_every_draw(name: str) -> None:
    recipe = load_recipe(name)
    least = smallest_side(recipe)
    assert least == {"ai6126": 56, "real-esrgan": 76, "gfpgan": 21}[name]
    image = _picture(least, least)
    for index in range(150):
        pipeline.degraded_pair(image, recipe, seed=2, index=index)
    with pytest.raises(ImageError, match=f"{least}x{least}"):
        pipeline.degraded_pair(image[1:], recipe, seed=2, index=0)


def test_the_target_is_sharpened_only_where_it_should_be() -> None:
    recipe, image = load_recipe("ai6126"), _picture(64, 64)
    sharp = pipeline.degraded_pair(image, recipe, seed=1, index=0)
    plain = pipeline.degraded_pair(image, changed(recipe, gt_usm=False), seed=1, index=0)
    assert np.array_equal(plain.target8, image)
    assert np.array_equal(sharp.target8, jpeg.rgb8_of(sharpen.sharpened(jpeg.planes_of(image))))
    assert not np.array_equal(sharp.target8, image)
    assert not np.array_equal(sharp.degraded8, plain.degraded8)


def test_the_order_of_the_ending_is_the_plans() -> None:
    """Low-pass last rings beyond JPEG's blocks; JPEG last leaves the blocks of its own grid."""
    recipe = load_recipe("ai6126")
    plan = next(
        plan
        for i in range(99)
        if (plan := draw_plan(recipe, height=64, width=64, seed=5, index=i)).ending.low_pass is not None
    )
    target = jpeg.planes_of(_picture(64, 64))
    assert plan.second is not None and plan.second.jpeg_quality is not None
    sinc_last, jpeg_last = (
        pipeline.degraded(target, replace(plan, ending=replace(plan.ending, sinc_first=first)))
        for first in (False, True)
    )
    assert not np.array_equal(sinc_last, jpeg_last)
    on_levels = np.abs(jpeg_last * 255 - np.rint(jpeg_last * 255)).max()
    assert on_levels < 1e-4 < np.abs(sinc_last * 255 - np.rint(sinc_last * 255)).max()


def test_without_noise_the_first_round_is_the_stages_one_after_another() -> None:
    recipe = _parsed(
        gaussian_noise_prob="1.0", noise_range="[0.0, 0.0]", resize_prob="[0.0, 1.0, 0.0]", sinc_prob="0.0"
    )
    recipe = replace(recipe, second=None, final=replace(recipe.final, sinc_prob=0.0), gt_usm=False)
    target = jpeg.planes_of(_picture(96, 72))
    for index in range(20):
        plan = draw_plan(recipe, height=96, width=72, seed=1, index=index)
        assert plan.first.blur is not None and plan.first.resize is not None
        picture = blur._by_fourier(target, kernels.kernel_of(plan.first.blur), plan.first.blur.size // 2)
        onto = pipeline._maps(target, plan.first.resize)
        assert onto is not None and plan.first.jpeg_quality is not None
        picture = np.clip(bands.mapped(picture, *onto), 0, 1)
        assert np.abs(pipeline._blurred_resized_noisy(target, plan.first) - picture).max() < 1e-4


def test_gfpgan_comes_back_to_its_size_and_changes_colours() -> None:
    plans = _plans("gfpgan")
    assert all((plan.ending.resize.height, plan.ending.resize.width) == (512, 512) for plan in plans)
    assert all(plan.second is None and plan.ending.low_pass is None for plan in plans)
    heights = [plan.first.resize.height for plan in plans if plan.first.resize is not None]
    assert len(heights) == len(plans)
    assert 64 <= min(heights) < 70 and 580 < max(heights) <= 640
    changes = [plan.colour for plan in plans if plan.colour is not None]
    assert np.mean([change.shift is not None for change in changes]) == pytest.approx(0.3, abs=0.04)
    assert np.mean([len(change.adjustments) == 4 for change in changes]) == pytest.approx(0.3, abs=0.04)
    assert 0 < np.mean([change.grey for change in changes]) < 0.03


def _parsed(**lines: str) -> Recipe:
    """AI6126's recipe with some lines exchanged, each where its key comes first."""
    text = (FOLDER / "ai6126.toml").read_text(encoding="utf-8")
    for key, value in lines.items():
        wanted = [line for line in text.splitlines() if line.startswith(f"{key} =")]
        text = text.replace(wanted[0], f"{key} = {value}", 1)
    return parse_recipe(text, label="mine.toml")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "kernel_prob",
            "[0.45, 0.25, 0.12, 0.03, 0.12, 0.13]",
            r"first\.kernel_prob must sum to 1; found 1\.1",
        ),
        ("kernel_prob", "[0.5, 0.5]", "a number for each of kernel_list; found 2 for 6"),
        ("kernel_prob", "[1.2, -0.2, 0, 0, 0, 0]", "must be from 0 to 1; found 1.2"),
        ("resize_prob", "[0.2, 0.7, 0.0]", r"first\.resize_prob must sum to 1; found 0\.9"),
        ("resize_prob", "[0.3, 0.7]", "must be a list of 3"),
        ("kernel_list", '["iso", "round"]', "must be one of iso, aniso"),
        ("kernel_sizes", "[7, 8]", "odd numbers from 3 to 101; found 8"),
        ("kernel_sizes", "[]", "odd numbers from 3 to 101; found none"),
        ("jpeg_range", "[95.0, 50.0]", "two rising numbers from 1 to 100; found 95 and 50"),
        ("noise_range", "[-1.0, 5.0]", "two rising numbers from 0 to 255"),
        ("blur_sigma", "[0.0, 3.0]", "two rising numbers from 0.01"),
        ("blur_sigma", "[nan, 3.0]", "two rising numbers"),
        ("betap_range", "[1.5, 2.0]", "must enclose 1; found 1.5 to 2"),
        ("resize_range", "[0.2, 0.9]", "must enclose 1"),
        ("sinc_prob", "1.5", "must be from 0 to 1; found 1.5"),
        ("sinc_prob", '"often"', "must be a number"),
        ("scale", "0", "must be from 1 to 16; found 0"),
        ("gt_usm", "1", "must be true or false"),
    ],
)
def test_impossible_values_are_refused_with_their_line(key: str, value: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        _parsed(**{key: value})
    assert "mine.toml, line " in str(caught.value)


def test_unknown_and_missing_keys_are_named() -> None:
    text = (FOLDER / "ai6126.toml").read_text(encoding="utf-8")
    with pytest.raises(RecipeError, match=r"first\.noise_rage is not a known key.*Did you mean noise_range"):
        parse_recipe(text.replace("noise_range", "noise_rage", 1), label="mine.toml")
    with pytest.raises(RecipeError, match="final is required"):
        parse_recipe(text[: text.index("[final]")], label="mine.toml")
    with pytest.raises(RecipeError, match="must be TOML"):
        parse_recipe("[first", label="mine.toml")
    lines = [line for line in text.splitlines() if not line.startswith("poisson")]
    with pytest.raises(RecipeError, match="must be given where gaussian_noise_prob is below 1"):
        parse_recipe("\n".join(lines), label="mine.toml")
    both = text.replace("\n[second]", "downsample_range = [1.0, 2.0]\n\n[second]", 1)
    with pytest.raises(RecipeError, match="must stand without resize_prob"):
        parse_recipe(both, label="mine.toml")


def test_names_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="Did you mean ai6126"):
        load_recipe("ai612")
    with pytest.raises(CallError, match="must name a recipe"):
        load_recipe("own-resnet_6_16-x4")
    (tmp_path / "latin.toml").write_bytes("title = 'é'".encode("latin-1"))
    with pytest.raises(RecipeError, match="UTF-8"):
        load_recipe(str(tmp_path / "latin.toml"))
    with pytest.raises(CallError, match="0 or more"):
        draw_plan(load_recipe("ai6126"), height=64, width=64, seed=-1, index=0)
    with pytest.raises(RecipeError, match="scale must be from 1 to 16"):
        changed(load_recipe("ai6126"), scale=17)
