"""The adversarial stage: losses against NumPy, the discriminator, and whole steps on every backend that is installed.

Run as a program, this file makes the checks of steps on the backend that KERAS_BACKEND names, deterministically.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from pixelproof.errors import CallError
from pixelproof.models.training.adversarial.discriminator import torch_names, unet_discriminator
from pixelproof.models.training.adversarial.losses import fake_loss, generator_loss, real_loss
from pixelproof.models.training.adversarial.model import AdversarialModel, _step_of
from pixelproof.models.training.adversarial.spectral import SpectralNormalization
from pixelproof.models.training.adversarial.state import named_state, state_variables

KINDS = ("vanilla", "lsgan", "hinge", "wgan")
State = dict[str, np.ndarray]


def l1(target: Any, output: Any) -> Any:
    """Mean absolute difference of each sample."""
    return ops.mean(ops.abs(target - output), axis=(1, 2, 3))


def generator(*, dropout: float = 0.0, seed: int = 1) -> keras.Model:
    """Two small convolutions; its first layer is called like the discriminator's."""
    drawn = [keras.initializers.GlorotUniform(seed=seed + place) for place in (0, 1)]
    image = keras.Input((None, None, 3))
    conv0 = keras.layers.Conv2D(
        6, 3, padding="same", activation="relu", name="conv0", kernel_initializer=drawn[0]
    )
    maps = conv0(image)
    if dropout:
        maps = keras.layers.Dropout(dropout, seed=7)(maps)
    conv1 = keras.layers.Conv2D(3, 3, padding="same", name="conv1", kernel_initializer=drawn[1])
    return keras.Model(image, conv1(maps))


def compiled(
    *,
    optimizer: Any = None,
    judge: Any = None,
    dropout: float = 0.0,
    seed: int = 1,
    spectral: bool = True,
    **options: Any,
) -> AdversarialModel:
    """A small adversarial model."""
    judging = unet_discriminator(features=4, seed=seed, spectral=spectral)
    model = AdversarialModel(generator(dropout=dropout, seed=seed), judging)
    model.compile(
        optimizer or keras.optimizers.Adam(1e-2),
        discriminator_optimizer=judge or keras.optimizers.Adam(1e-2),
        loss=l1,
        **options,
    )
    return model


def data(samples: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and smoother pictures."""
    rng = np.random.default_rng(3)
    inputs = rng.random((samples, 16, 16, 3), dtype=np.float32)
    return inputs, np.sort(inputs, axis=1)


def toy() -> tuple[np.ndarray, np.ndarray]:
    """Noise, and even bright pictures for targets."""
    return data(samples=2)[0], np.full((2, 16, 16, 3), 0.9, np.float32)


def trained(
    model: AdversarialModel, pairs: tuple[np.ndarray, np.ndarray], *, epochs: int = 1
) -> dict[str, list[float]]:
    """The history of steps with two samples each, in their order."""
    history = model.fit(*pairs, batch_size=2, epochs=epochs, shuffle=False, verbose=0)
    return dict(history.history)


def arrays(variables: Any) -> list[np.ndarray]:
    """Values of variables."""
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    """Whether all bits are equal."""
    return all(one.tobytes() == two.tobytes() for one, two in zip(first, second, strict=True))


def set_to(variables: list[Any], values: list[np.ndarray]) -> None:
    """Give variables values."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@cache
def _shared() -> tuple[AdversarialModel, list[np.ndarray]]:
    # Compiling a step takes longer than all that is done with it.
    model = compiled(optimizer=keras.optimizers.Adam(0.0), judge=keras.optimizers.Adam(0.0), weight=100.0)
    return model, arrays(state_variables(model))


def shared(*, rate: float, judge_rate: float) -> AdversarialModel:
    """A model as new, with these learning rates."""
    model, first = _shared()
    set_to(state_variables(model), first)
    model.optimizer.learning_rate = rate
    model.discriminator_optimizer.learning_rate = judge_rate
    return model


def check_each_learns_by_its_own_rate_alone() -> None:
    """With one learning rate 0 that network's weights keep their bits, the other's move."""
    for still, moves in (("generator", "discriminator"), ("discriminator", "generator")):
        rates = {still: 0.0, moves: 1e-3}
        model = shared(rate=rates["generator"], judge_rate=rates["discriminator"])
        parts = {"generator": model.generator, "discriminator": model.discriminator}
        before = {name: arrays(part.trainable_variables) for name, part in parts.items()}
        trained(model, data())
        after = {name: arrays(part.trainable_variables) for name, part in parts.items()}
        assert same(before[still], after[still]), still
        assert all((one != two).any() for one, two in zip(before[moves], after[moves], strict=True)), moves


def check_the_generator_moves_first() -> None:
    """Its first step doesn't depend on the discriminator's learning rate; its second one does."""
    ends: dict[tuple[float, int], list[np.ndarray]] = {}
    for judge_rate in (0.0, 0.1):
        model = shared(rate=1e-3, judge_rate=judge_rate)
        for step in (1, 2):
            trained(model, data(samples=2))
            ends[judge_rate, step] = arrays(model.generator.trainable_variables)
    assert same(ends[0.0, 1], ends[0.1, 1])
    assert not same(ends[0.0, 2], ends[0.1, 2])


def check_each_learns_from_the_other() -> None:
    """The discriminator learns to tell what anybody can tell apart; then the generator learns to fool it."""
    model = shared(rate=0.0, judge_rate=1e-2)
    losses = trained(model, toy(), epochs=30)["discriminator"]
    assert losses[-1] < losses[0] - 0.3, losses
    model.optimizer.learning_rate, model.discriminator_optimizer.learning_rate = 1e-2, 0.0
    losses = trained(model, toy(), epochs=20)["adversarial"]
    assert losses[-1] < losses[0] - 0.1, losses


def check_what_is_not_finite_is_seen() -> None:
    """A NaN in a target, or in the discriminator, is in the logs."""
    inputs, targets = data(samples=2)
    logs = trained(shared(rate=1e-3, judge_rate=1e-3), (inputs, np.full_like(targets, np.nan)))
    assert np.isnan([logs["loss"][0], logs["pixel"][0], logs["discriminator"][0]]).all()
    model = shared(rate=1e-3, judge_rate=1e-3)
    bias = model.discriminator.get_layer("conv0").bias
    bias.assign(np.full(bias.shape, np.nan))
    logs = trained(model, (inputs, targets))
    assert np.isnan([logs["loss"][0], logs["adversarial"][0], logs["discriminator"][0]]).all()
    assert np.isfinite(logs["pixel"][0])


def check_the_stage_begins_with_its_step_and_resumes_exactly() -> None:
    """Steps 0 to 4 train by the loss alone, 5 to 7 against the discriminator; interrupted between 3 and 4.

    With dropout and moving averages. The resumed model is another one, of other weights at first.
    """

    def averaging() -> Any:
        return keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9)

    inputs, targets = data(samples=16)
    half, rest = (inputs[:8], targets[:8]), (inputs[8:], targets[8:])
    whole = compiled(optimizer=averaging(), dropout=0.3, from_step=5)
    plain = generator(dropout=0.3)
    plain.compile(averaging(), loss=l1)
    judges = [*whole.discriminator.variables, *whole.discriminator_optimizer.variables]
    before = arrays(judges)

    logs = trained(whole, half)
    plain.fit(*half, batch_size=2, shuffle=False, verbose=0)
    assert same(before, arrays(judges))
    assert logs["adversarial"] == logs["discriminator"] == [0.0]
    assert logs["loss"] == logs["pixel"]
    alike = zip(arrays(whole.generator.variables), arrays(plain.variables), strict=True)
    assert all(np.allclose(one, two, atol=1e-6) for one, two in alike)

    names = [name for name, _ in named_state(whole)]
    kept = dict(zip(names, arrays(state_variables(whole)), strict=True))
    # With JAX, fit leaves average and weight in one buffer, which a second fit can't give away twice.
    set_to(state_variables(whole), list(kept.values()))
    logs = trained(whole, rest)
    assert int(whole.discriminator_optimizer.iterations) == 3
    assert logs["adversarial"][0] > 0
    assert abs(logs["loss"][0] - logs["pixel"][0] - 0.1 * logs["adversarial"][0]) < 1e-5
    averages = [weight for weight in whole.optimizer.variables if weight.name.endswith("average")]
    assert len(averages) == 4
    assert same(
        arrays(averages), arrays(whole.generator.trainable_variables)
    )  # fit puts them there at its end

    resumed = compiled(optimizer=averaging(), dropout=0.3, from_step=5, seed=2)
    for name, variable in named_state(resumed):
        variable.assign(kept[name])
    trained(resumed, rest)
    end = arrays(state_variables(whole))
    assert same(end, arrays(state_variables(resumed)))
    moved = [not np.array_equal(kept[name], value) for name, value in zip(names, end, strict=True)]
    assert sum(moved) > 0.8 * len(moved)


def check_another_kind_of_loss_teaches_the_discriminator() -> None:
    """Hinge; on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return
    model = compiled(optimizer=keras.optimizers.SGD(0.0), judge=keras.optimizers.Adam(1e-2), kind="hinge")
    losses = trained(model, toy(), epochs=12)["discriminator"]
    assert losses[-1] < losses[0] - 0.3, losses


def check_half_precision_scales_the_loss() -> None:
    """Under mixed_float16 the generator's loss is scaled and it still learns; the discriminator is float32."""
    keras.config.set_dtype_policy("mixed_float16")
    made = generator()
    keras.config.set_dtype_policy("float32")
    model = AdversarialModel(made, unet_discriminator(features=4))
    judge = keras.optimizers.Adam(1e-2)
    model.compile(keras.optimizers.Adam(1e-2), discriminator_optimizer=judge, loss=l1)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert model.discriminator.layers[-1].compute_dtype == "float32"
    losses = trained(model, data(), epochs=8)
    assert losses["pixel"][-1] < losses["pixel"][0]
    assert np.isfinite(losses["discriminator"]).all()


def check_replicas_together_are_one() -> None:
    """TensorFlow's MirroredStrategy: two replicas that share a batch give what one gives."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    def model(**options: Any) -> AdversarialModel:
        return compiled(optimizer=keras.optimizers.SGD(1e-2), judge=keras.optimizers.SGD(1e-2), **options)

    alone = model()
    one = trained(alone, data())
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        both = model()
    two = trained(both, data())
    assert all(abs(one[name][0] - two[name][0]) < 1e-5 for name in one)
    together = zip(arrays(alone.variables), arrays(both.variables), strict=True)
    assert all(np.allclose(first, second, atol=1e-6) for first, second in together)
    with strategy.scope():
        later = model(from_step=2)
    with pytest.raises(CallError, match="must begin with the first step"):
        trained(later, data())


CHECKS: dict[str, Callable[[], None]] = {
    name.removeprefix("check_"): check for name, check in globals().items() if name.startswith("check_")
}
BACKENDS = ("tensorflow", "jax", "torch")


def _main() -> None:
    """Make all checks; print what went wrong, by check."""
    from pixelproof.models.training.run.backend import make_deterministic

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    make_deterministic()
    found = {}
    for name, check in CHECKS.items():
        keras.utils.set_random_seed(5)
        try:
            check()
            found[name] = ""
        except Exception:  # noqa: BLE001
            found[name] = traceback.format_exc()
    print("\n" + json.dumps(found))


@pytest.fixture(scope="session")
def checked() -> Callable[[str], dict[str, str]]:
    """``checked("jax")``: what went wrong in a process with that backend, by check; made once."""
    known: dict[str, dict[str, str]] = {}

    def run(backend: str) -> dict[str, str]:
        if importlib.util.find_spec(backend) is None:
            pytest.skip(f"needs {backend}")
        if backend not in known:
            quiet = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
            if backend == "jax":  # it compiles for most of the time
                quiet["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
            process = subprocess.run(
                [sys.executable, str(Path(__file__))],
                env={**os.environ, **quiet, "KERAS_BACKEND": backend},
                capture_output=True,
                text=True,
                timeout=280,
            )
            ended = process.returncode == 0
            known[backend] = json.loads(process.stdout.splitlines()[-1]) if ended else {}
            assert ended, process.stderr[-3000:]
        return known[backend]

    return run


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("check", CHECKS)
def test_steps(checked: Callable[[str], dict[str, str]], backend: str, check: str) -> None:
    wrong = checked(backend)[check]
    assert not wrong, wrong


def _by_hand(kind: str, scores: np.ndarray, *, real: bool) -> float:
    sigmoid = 1 / (1 + np.exp(-scores))
    match kind:
        case "vanilla":
            return float(-np.mean(np.log(sigmoid if real else 1 - sigmoid)))
        case "lsgan":
            return float(np.mean((scores - float(real)) ** 2))
        case "hinge":
            return float(np.mean(np.maximum(0, 1 - scores if real else 1 + scores)))
        case _:
            return float(np.mean(-scores if real else scores))


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_those_computed_by_hand(kind: Any) -> None:
    scores = 2.5 * np.random.default_rng(2).standard_normal((2, 5, 4, 1))
    given = ops.convert_to_tensor(scores, dtype="float32")
    assert float(real_loss(kind, given)) == pytest.approx(_by_hand(kind, scores, real=True), abs=1e-5)
    assert float(fake_loss(kind, given)) == pytest.approx(_by_hand(kind, scores, real=False), abs=1e-5)
    wanted = -float(np.mean(scores)) if kind == "hinge" else _by_hand(kind, scores, real=True)
    assert float(generator_loss(kind, given)) == pytest.approx(wanted, abs=1e-5)


def test_losses_of_four_scores() -> None:
    scores = ops.convert_to_tensor([-2.0, 0.0, 0.5, 3.0])
    assert float(real_loss("hinge", scores)) == pytest.approx((3 + 1 + 0.5 + 0) / 4)
    assert float(fake_loss("hinge", scores)) == pytest.approx((0 + 1 + 1.5 + 4) / 4)
    assert float(real_loss("lsgan", scores)) == pytest.approx((9 + 1 + 0.25 + 4) / 4)
    assert float(fake_loss("wgan", scores)) == pytest.approx(0.375)
    assert float(real_loss("vanilla", ops.zeros((3,)))) == pytest.approx(np.log(2))


def test_sure_scores_stay_finite() -> None:
    scores = ops.convert_to_tensor([-300.0, 300.0])
    assert float(real_loss("vanilla", scores)) == pytest.approx(150.0)
    assert float(fake_loss("vanilla", scores)) == pytest.approx(150.0)


@pytest.mark.parametrize("loss", [real_loss, fake_loss, generator_loss])
def test_other_kinds_are_refused(loss: Any) -> None:
    with pytest.raises(CallError, match=r"vanilla, lsgan, hinge, wgan; found lsgam.*lsgan"):
        loss("lsgam", ops.zeros((2,)))


def test_the_discriminator_is_real_esrgans() -> None:
    """4,376,897 weights, and the names of ``UNetDiscriminatorSN``'s state dict, its ``weight_v`` aside."""
    judge = unet_discriminator()
    assert sum(int(np.prod(weight.shape)) for weight in judge.trainable_weights) == 4_376_897
    inner = [f"conv{number}.{kind}" for number in range(1, 9) for kind in ("weight_orig", "weight_u")]
    ends = [f"conv{number}.{kind}" for number in (0, 9) for kind in ("weight", "bias")]
    assert sorted(torch_names(judge).values()) == sorted(inner + ends)
    plain = unet_discriminator(features=4, spectral=False)
    assert "conv3.weight" in torch_names(plain).values()
    assert not any(isinstance(layer, SpectralNormalization) for layer in plain.layers)


@pytest.mark.parametrize("size", [(16, 24), (8, 8), (13, 21)])
def test_it_judges_every_pixel(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((2, *size, 3), dtype=np.float32)
    scores = unet_discriminator(features=4)(picture)
    assert tuple(scores.shape) == (2, *size, 1)
    assert float(ops.std(scores)) > 0


def test_the_seed_decides_the_discriminator() -> None:
    first, again, other = (arrays(unet_discriminator(features=4, seed=seed).weights) for seed in (3, 3, 4))
    assert same(first, again)
    assert not any(np.array_equal(one, two) for one, two in zip(first, other, strict=True) if one.any())


def test_the_spectral_norm_is_one_and_only_the_vector_moves() -> None:
    layer = SpectralNormalization(keras.layers.Conv2D(8, 3, use_bias=False), seed=2)
    picture = np.random.default_rng(0).random((1, 9, 9, 4), dtype=np.float32)
    layer.build((None, 9, 9, 4))
    kernel, vector = arrays([layer.kernel, layer.vector_u])
    layer(picture)
    assert same([kernel, vector], arrays([layer.kernel, layer.vector_u]))
    for _ in range(200):
        layer(picture, training=True)
    after, moved = arrays([layer.kernel, layer.vector_u])
    assert np.array_equal(after, kernel)
    assert not np.array_equal(moved, vector)
    largest = np.linalg.svd(kernel.reshape(-1, 8), compute_uv=False)[0]
    windows = np.lib.stride_tricks.sliding_window_view(picture[0], (3, 3), axis=(0, 1))
    wanted = np.einsum("hwcij,ijco->hwo", windows, kernel / largest)
    for training in (True, False):
        assert np.abs(arrays([layer(picture, training=training)])[0][0] - wanted).max() < 1e-5


def test_spectral_normalisation_is_kept_in_files(tmp_path: Path) -> None:
    judge = unet_discriminator(features=4, seed=6)
    picture = np.random.default_rng(0).random((1, 16, 16, 3), dtype=np.float32)
    judge.save(tmp_path / "judge.keras")
    again = keras.saving.load_model(tmp_path / "judge.keras")
    assert same(arrays([judge(picture)]), arrays([again(picture)]))


def test_other_layers_are_not_normalised() -> None:
    for layer in (keras.layers.Conv2D(4, 3), keras.layers.Dense(4, use_bias=False)):
        with pytest.raises(CallError, match="without bias and activation"):
            SpectralNormalization(layer)


def test_impossible_discriminators_are_refused() -> None:
    for option, value in (("features", 0), ("features", 5000), ("channels", 0), ("seed", -1)):
        options: dict[str, Any] = {option: value}
        with pytest.raises(CallError, match=option):
            unet_discriminator(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "ralsgan"}, "vanilla, lsgan, hinge, wgan; found ralsgan"),
        ({"weight": -0.1}, "weight must be 0 or more"),
        ({"weight": float("nan")}, "weight must be 0 or more; found nan"),
        ({"from_step": -1}, "step 0 or later"),
    ],
)
def test_impossible_stages_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CallError, match=message):
        compiled(**options)


def test_one_optimizer_for_both_is_refused() -> None:
    adam = keras.optimizers.Adam()
    with pytest.raises(CallError, match="an optimizer each"):
        compiled(optimizer=adam, judge=adam)


def test_pictures_of_other_channels_are_refused() -> None:
    with pytest.raises(CallError, match="found 1 channels for 3"):
        AdversarialModel(generator(), unet_discriminator(features=4, channels=1))


def test_backends_without_a_step_are_refused() -> None:
    with pytest.raises(CallError, match="tensorflow, jax, torch; found openvino"):
        _step_of("openvino")


def test_it_is_the_generator_that_is_validated() -> None:
    model = compiled()
    picture = data(samples=1)[0]
    assert same(arrays([model(picture)]), arrays([model.generator(picture)]))
    with pytest.raises(CallError, match=r"model\.generator"):
        model.evaluate(*data(), verbose=0)


def test_the_state_is_whole_and_named_once() -> None:
    model = compiled(dropout=0.2, optimizer=keras.optimizers.Adam(1e-3, use_ema=True))
    names = [name for name, _ in named_state(model)]
    held = {id(variable) for variable in state_variables(model)}
    assert len(set(names)) == len(names) == len(held)
    seeds = [
        layer.seed_generator.state for layer in model.generator.layers if hasattr(layer, "seed_generator")
    ]
    vectors = [weight for weight in model.discriminator.weights if weight.name == "vector_u"]
    assert (len(seeds), len(vectors)) == (1, 8)
    optimizers = [*model.optimizer.variables, *model.discriminator_optimizer.variables]
    networks = [*model.generator.weights, *model.discriminator.weights]
    assert {id(variable) for variable in seeds + vectors + optimizers + networks} <= held
    assert len([name for name in names if name.startswith("discriminator_optimizer.")]) == 2 + 2 * 12
    assert names == [name for name, _ in named_state(compiled(dropout=0.2, optimizer=_averaging(), seed=9))]


def _averaging() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(1e-3, use_ema=True)


def test_state_before_compiling_is_refused() -> None:
    with pytest.raises(CallError, match="compiled"):
        named_state(AdversarialModel(generator(), unet_discriminator(features=4)))


def test_bundled_recipes_make_their_stage() -> None:
    from dataclasses import replace

    from pixelproof.models.training.adversarial.stage import adversarial_model
    from pixelproof.models.training.run.recipe_file import load_recipe

    plain, recipe = load_recipe("ai6126-msrresnet"), load_recipe("ai6126-gan")
    for one in (plain, recipe):
        assert one.data.options["augment"] == "flip"
        assert (one.model, one.scale, one.data.options["recipe"]) == ("msrresnet", 4, "ai6126")
    assert recipe.adversarial is not None
    assert recipe.optimizer.milestones == (60 * 5000,)
    small = replace(recipe, adversarial=replace(recipe.adversarial, features=2))
    adam = keras.optimizers.Adam()
    model = adversarial_model(generator(), small, optimizer=adam, loss=l1, steps_per_epoch=5000)
    assert (model.from_step, model.weight, model.kind) == (300_000, 0.1, "vanilla")
    assert float(model.discriminator_optimizer.learning_rate) == pytest.approx(1e-4)
    with pytest.raises(CallError, match=r"\[adversarial\] .* found ai6126-msrresnet"):
        adversarial_model(generator(), plain, optimizer=adam, loss=l1, steps_per_epoch=1)


if __name__ == "__main__":
    _main()
