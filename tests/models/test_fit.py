"""Matching names, scopes and shapes, without any file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelproof.models.checkpoints.fit import Fit, Shape, best_fit, describe, natural

EXPECTED: dict[str, Shape] = {
    "W1": (3, 3, 1, 4),
    "b1": (4,),
    **{f"Variable_{i}" if i else "Variable": (4,) for i in range(12)},
}


def _fit(found: dict[str, Shape], *, whole_numbers: dict[str, Shape] | None = None) -> Fit:
    return best_fit(EXPECTED, found, {**found, **(whole_numbers or {})})


def _under(scope: str) -> dict[str, Shape]:
    return {f"{scope}{name}": shape for name, shape in EXPECTED.items()}


@pytest.mark.parametrize("scope", ["generator", "shared_model", "a/b/c", ""])
def test_any_one_scope_is_found(scope: str) -> None:
    fit = _fit(_under(f"{scope}/" if scope else ""))
    assert fit.complete
    assert fit.scopes == (scope,)
    assert fit.used["W1"] == f"{scope}/W1".removeprefix("/")
    assert not fit.surplus
    assert not fit.reported


@given(st.permutations(list(EXPECTED)))
def test_the_order_in_the_file_does_not_matter(order: list[str]) -> None:
    fit = _fit({f"g/{name}": EXPECTED[name] for name in order})
    assert fit.used == {name: f"g/{name}" for name in EXPECTED}


def test_automatic_names_go_by_number_even_from_a_later_start() -> None:
    found = {"g/W1": (3, 3, 1, 4), "g/b1": (4,), **{f"g/Variable_{i}": (4,) for i in range(5, 17)}}
    fit = _fit(found, whole_numbers={"Variable": ()})
    assert fit.complete
    assert fit.used["Variable"] == "g/Variable_5"
    assert fit.used["Variable_2"] == "g/Variable_7"
    assert fit.used["Variable_10"] == "g/Variable_15"
    assert fit.reported == ("Variable",)


def test_slots_and_counters_are_reported() -> None:
    slots = {
        "generator/W1/Adam": (3, 3, 1, 4),
        "generator/W1/Adam_1": (3, 3, 1, 4),
        "generator/b1/Momentum": (4,),
        "generator/b1/ExponentialMovingAverage": (4,),
        "train/generator/Variable_3/RMSProp_1": (4,),
        "training/Adam/generator/b1/v": (4,),
        "beta1_power": (),
        "train/beta2_power_1": (),
        "learning_rate": (1,),
    }
    fit = _fit({**_under("generator/"), **slots}, whole_numbers={"global_step": (), "epoch": (1,)})
    assert fit.complete
    assert set(fit.reported) == {*slots, "global_step", "epoch"}
    assert not fit.surplus


def test_what_is_neither_weight_nor_slot_is_surplus() -> None:
    others: dict[str, Shape] = {
        "discriminator/W1": (3, 3, 1, 8),
        "generator/alpha": (),
        "generator/W1/Adam": (7,),  # not its variable's shape
        "W2": (3, 3, 4, 4),
    }
    fit = _fit({**_under("generator/"), **others})
    assert fit.complete
    assert set(fit.surplus) == set(others)


def test_two_full_scopes_are_both_named() -> None:
    assert _fit({**_under("generator/"), **_under("generator_1/")}).scopes == ("generator", "generator_1")


def test_what_is_wrong_is_described_by_name_and_shape() -> None:
    found = _under("g/")
    del found["g/b1"]
    found["g/W1"] = (9, 9, 3, 4)
    found["g/extra"] = (2, 2)
    fit = _fit(found)
    assert not fit.complete
    assert describe(fit, found) == (
        "missing: g/b1 4; of another shape: g/W1 expected 3x3x1x4 found 9x9x3x4; surplus: g/extra 2x2"
    )


def test_nothing_in_common() -> None:
    fit = _fit({"unrelated": (1, 2)})
    assert fit.scopes == ()
    assert set(fit.missing) == set(EXPECTED)
    assert fit.surplus == ("unrelated",)


def test_natural_order() -> None:
    assert sorted(["v_10", "v_2", "v", "v_1"], key=natural) == ["v", "v_1", "v_2", "v_10"]
