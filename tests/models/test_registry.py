"""The registry: discovery, duplicates, misspelt names and options."""

from __future__ import annotations

from types import ModuleType

import keras
import pytest

from pixelproof.contract import Contract
from pixelproof.errors import CallError, PixelproofError
from pixelproof.models import registry


def _module(name: str, *builders: object) -> ModuleType:
    module = ModuleType(name)
    for place, builder in enumerate(builders):
        builder.__module__ = name  # type: ignore[attr-defined]
        setattr(module, f"builder_{place}", builder)
    return module


def _builder(name: str, **details: object) -> object:
    @registry.register(name, source="a test", **details)  # type: ignore[arg-type]
    def build(*, width: int = 1) -> keras.Model:
        image = keras.Input((None, None, 3))
        return keras.Model(image, keras.layers.Conv2D(width, 1)(image))

    return build


def test_the_challenge_architectures_are_there() -> None:
    assert {"srcnn", "resnet_6_16", "resnet_8_32", "resnet_12_64", "vgg_19"} <= set(registry.names())
    assert list(registry.names()) == sorted(registry.names())
    assert registry.spec("vgg_19").challenge == "pirm2018"


def test_a_module_is_all_that_a_newcomer_needs() -> None:
    contract = Contract(minimum_size=15, size_multiple=4, scale=4)
    found = registry.collect([_module("somewhere", _builder("newcomer", contract=contract, challenge="x"))])
    assert found["newcomer"].contract == contract
    assert (found["newcomer"].challenge, found["newcomer"].source) == ("x", "a test")
    assert found["newcomer"].build(width=5).output_shape[-1] == 5


def test_one_function_may_carry_two_names() -> None:
    twice = registry.register("second", source="a test")(_builder("first"))  # type: ignore[type-var]
    assert sorted(registry.collect([_module("somewhere", twice)])) == ["first", "second"]


def test_duplicates_are_refused() -> None:
    modules = [_module("here", _builder("same")), _module("there", _builder("same"))]
    with pytest.raises(PixelproofError, match="same in here and in there"):
        registry.collect(modules)


def test_an_imported_builder_is_no_duplicate() -> None:
    here = _module("here", _builder("one"))
    there = _module("there")
    there.imported = here.builder_0  # type: ignore[attr-defined]
    assert list(registry.collect([here, there])) == ["one"]


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(CallError, match=r"found resnet_6_61\. Did you mean resnet_6_16\? Choices: .*srcnn"):
        registry.spec("resnet_6_61")


def test_a_misspelt_option_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CallError, match="found chanels"):
        registry.create("srcnn", chanels=3)
    known = registry.collect([_module("here", _builder("wide"))])
    monkeypatch.setattr(registry, "_bundled", lambda: known)
    assert registry.create("wide", width=7).output_shape[-1] == 7
    with pytest.raises(CallError, match=r"found widht\. Did you mean width\?"):
        registry.create("wide", widht=7)
