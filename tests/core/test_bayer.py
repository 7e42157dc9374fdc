"""Mosaics and their planes: MAI 2021's formula, all orders, the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pixelproof.bayer import CFA_ORDERS, check_mosaic, mosaic_of, plane_offsets, unpack_bayer
from pixelproof.errors import CallError, ImageError

SIDES = st.integers(1, 9)


def mosaics(dtype: Any) -> st.SearchStrategy[np.ndarray]:
    """Mosaics of even sides."""
    return st.tuples(SIDES, SIDES).flatmap(lambda n: arrays(dtype, (2 * n[0], 2 * n[1])))


@given(mosaics(np.uint16))
def test_the_default_is_mai_2021s_formula_bit_for_bit(raw: np.ndarray) -> None:
    planes = (raw[1::2, 1::2], raw[0::2, 1::2], raw[0::2, 0::2], raw[1::2, 0::2])
    expected = np.dstack(planes).astype(np.float32) / (4 * 255)
    assert np.array_equal(unpack_bayer(raw), expected)
    assert unpack_bayer(raw).dtype == np.float32


@pytest.mark.parametrize("cfa", CFA_ORDERS)
def test_every_order_gives_the_same_four_colours(cfa: str) -> None:
    cell = np.array([["RGBG".index(colour) for colour in cfa[:2]], ["RGBG".index(c) for c in cfa[2:]]])
    mosaic = np.tile(cell, (3, 5)).astype(np.uint8)
    planes = unpack_bayer(mosaic, cfa=cfa, white_level=1.0)
    for channel, colour in enumerate("BGRG"):
        assert set(np.unique(planes[..., channel])) == {"RGBG".index(colour)}


@pytest.mark.parametrize("cfa", CFA_ORDERS)
def test_the_second_plane_is_the_green_beside_red(cfa: str) -> None:
    blue, beside_red, red, beside_blue = plane_offsets(cfa)
    assert beside_red[0] == red[0] and beside_blue[0] == blue[0]
    assert {blue, beside_red, red, beside_blue} == {(0, 0), (0, 1), (1, 0), (1, 1)}


@given(mosaics(np.uint16), st.sampled_from(CFA_ORDERS))
def test_the_mosaic_of_the_planes_is_the_mosaic(mosaic: np.ndarray, cfa: str) -> None:
    planes = unpack_bayer(mosaic, cfa=cfa, white_level=1.0)
    assert np.array_equal(mosaic_of(planes, cfa=cfa), mosaic.astype(np.float32))


@given(st.integers(0, 1023), st.integers(0, 200), st.integers(201, 4095))
def test_levels_become_zero_and_one(value: int, black: int, white: int) -> None:
    mosaic = np.array([[black, white], [value, black]], np.uint16)
    planes = unpack_bayer(mosaic, white_level=white, black_level=black)
    blue, beside_red, red, beside_blue = planes[0, 0]
    assert (red, beside_red, blue) == (0.0, 1.0, 0.0)
    assert beside_blue == pytest.approx((value - black) / (white - black), rel=1e-6, abs=1e-7)


def test_what_is_above_white_is_kept() -> None:
    assert unpack_bayer(np.full((2, 2), 65535, np.uint16)).max() == np.float32(65535) / np.float32(1020)


def test_lower_case_orders_are_taken() -> None:
    mosaic = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert np.array_equal(unpack_bayer(mosaic, cfa="grbg"), unpack_bayer(mosaic, cfa="GRBG"))


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (1, 1), (0, 2), (2, 0)])
def test_odd_sides_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="even sides; found"):
        unpack_bayer(np.zeros(shape, np.uint16))


def test_a_picture_in_colours_is_refused() -> None:
    with pytest.raises(ImageError, match=r"one channel; found 4x4x3 in x\.png"):
        check_mosaic((4, 4, 3), label="x.png")


def test_an_unknown_order_is_refused_with_the_nearest() -> None:
    with pytest.raises(CallError, match=r"found 'RGBG'\..*Choices: BGGR, GBRG, GRBG, RGGB"):
        unpack_bayer(np.zeros((2, 2), np.uint8), cfa="RGBG")


@pytest.mark.parametrize(("white", "black"), [(0.0, 0.0), (64.0, 64.0), (10.0, 64.0), (float("nan"), 0.0)])
def test_a_white_level_that_is_not_above_black_is_refused(white: float, black: float) -> None:
    with pytest.raises(CallError, match="above the black level"):
        unpack_bayer(np.zeros((2, 2), np.uint8), white_level=white, black_level=black)


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 3), (1, 2, 2, 4)])
def test_only_four_planes_make_a_mosaic(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="must be"):
        mosaic_of(np.zeros(shape, np.float32))
