"""What the learned ISP's training takes and leaves: the challenge's options, log, TF1 checkpoints, figures."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.errors import CallError, CheckpointError, EnvironmentFault, PixelproofError
from pixelproof.measure.metrics import ms_ssim_tf, ssim_tf
from pixelproof.models.checkpoints.loading import load_checkpoint
from pixelproof.models.checkpoints.locate import locate
from pixelproof.models.registry import create, spec
from pixelproof.models.training.data.training_data import Sample
from pixelproof.models.training.isp.epoch_end import IspEpochEnd, hooks_of
from pixelproof.models.training.isp.figures import measure
from pixelproof.models.training.isp.log import log_line, log_path, write_log_line
from pixelproof.models.training.isp.options import IspOptions, isp_recipe, with_words
from pixelproof.models.training.isp.tf1_checkpoint import iterations_in, write_state, write_tf1_checkpoint

# The challenge's options.


def test_the_defaults_are_the_recipe_that_comes_along() -> None:
    from pixelproof.models.training.run.recipe_file import load_recipe

    bundled, ours = load_recipe("mai2021-isp"), isp_recipe(IspOptions(model_dir="no-such-folder"))
    assert Path(ours.data.train) == Path("raw_images/train").absolute()
    assert Path(ours.data.validation) == Path("raw_images/val").absolute()
    assert ours.content is not None and bundled.content is not None
    assert Path(ours.content.weights) == Path(bundled.content.weights).absolute()
    same = {"train": bundled.data.train, "validation": bundled.data.validation}
    options = {key: value for key, value in ours.data.options.items() if key in bundled.data.options}
    data = replace(ours.data, **same, options={**options, "model_dir": ""})
    assert replace(ours, data=data, content=bundled.content) == bundled
    assert bundled.loss == {"mse": 20.0, "content": 1.0, "ssim": 20.0}
    loop = ours.training
    assert (loop.batch_size, loop.steps_per_epoch * loop.epochs) == (32, 100_000)
    assert (ours.optimizer.learning_rate, ours.data.options["train_size"]) == (5e-5, 5000)


def test_words_of_2021_are_understood() -> None:
    words = ("model_dir=models/punet_MAI/", "num_maps_base=8", "inst_norm=True", "learning_rate=1e-4")
    options = with_words(
        IspOptions(num_maps_base=4), (*words, "restore_iter=None", "save_mid_imgs=False", "vgg_dir=")
    )
    assert (options.model_dir, options.num_maps_base, options.inst_norm) == ("models/punet_MAI/", 8, True)
    assert (options.learning_rate, options.restore_iter, options.save_mid_imgs) == (1e-4, None, False)
    recipe = isp_recipe(options)
    assert recipe.content is None and "content" not in recipe.loss
    assert recipe.model_options == {"num_maps_base": 8, "instance_norm": True}
    assert recipe.data.options["result_dir"] == ""


@pytest.mark.parametrize(
    ("word", "rule"),
    [
        ("num_maps_base", "key=value"),
        ("num_maps=8", "Did you mean num_maps_base"),
        ("batch_size=many", "whole number"),
        ("inst_norm=maybe", "True or False"),
        ("learning_rate=fast", "a number"),
        ("augment=flip", "bayer, public or none"),
    ],
)
def test_wrong_words_are_named(word: str, rule: str) -> None:
    with pytest.raises(CallError, match=rule):
        with_words(IspOptions(), [word])


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"level": 1}, "level must be 0"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"num_train_iters": 1500}, "num_train_iters=1000"),
        ({"restore_iter": 5000}, "none at .*punet_iteration_5000.ckpt"),
    ],
)
def test_options_of_the_challenge_that_cannot_be(tmp_path: Path, wrong: dict[str, Any], rule: str) -> None:
    with pytest.raises(PixelproofError, match=rule):
        isp_recipe(replace(IspOptions(model_dir=str(tmp_path)), **wrong))


def test_the_newest_checkpoint_is_gone_on_from(tmp_path: Path) -> None:
    for name in (
        "punet_iteration_2000",
        "punet_iteration_10000",
        "punet_iteration_30000",
        "other_iteration_99000",
    ):
        for ending in ("index", "data-00000-of-00001"):
            if (name, ending) != ("punet_iteration_30000", "data-00000-of-00001"):
                (tmp_path / f"{name}.ckpt.{ending}").touch()
    options = IspOptions(model_dir=str(tmp_path), num_train_iters=12_000)
    recipe = isp_recipe(options)
    assert recipe.start == str(tmp_path / "punet_iteration_10000.ckpt")
    assert (recipe.training.epochs, recipe.data.options["first_iteration"]) == (2, 10_000)
    older = isp_recipe(replace(options, restore_iter=2000))
    assert (older.start, older.training.epochs) == (str(tmp_path / "punet_iteration_2000.ckpt"), 10)
    anew = isp_recipe(replace(options, restore_iter=0))
    assert (anew.start, anew.training.epochs) == ("", 12)
    with pytest.raises(CallError, match=r"after 10000.*restore_iter=0 begins anew"):
        isp_recipe(replace(options, num_train_iters=10_000))


# The log.


def test_the_log_has_the_format_of_the_public_script(tmp_path: Path) -> None:
    path = log_path(tmp_path, restored=0, iterations=3000)
    assert path.name == "logs_0-3000.txt"
    terms = {"training": 12.34567, "validation": 9.87654, "content": 3.21, "mse": 0.0123456}
    line = log_line(1000, terms, psnr=23.0349, ms_ssim=0.876543)
    assert line == (
        "step 1000 | training: 12.35, validation: 9.877 | content: 3.21, mse: 0.01235, psnr: 23.03, ms-ssim: 0.8765"
    )
    bare = log_line(2000, {"training": 5.0}, psnr=None, ms_ssim=math.nan)
    assert bare.endswith("| content: nan, mse: nan, psnr: nan, ms-ssim: nan")
    for iteration in (1000, 2000, 3000):
        write_log_line(path, iteration, log_line(iteration, terms, psnr=1.0, ms_ssim=None))
    write_log_line(path, 2000, bare)  # a run that was resumed after 1000
    kept = path.read_text().split("\n\n")
    assert [one.split(" |")[0] for one in kept] == ["step 1000", "step 2000", ""] and kept[1] == bare


# TF1 checkpoints.


@cache
def random_punet(seed: int = 5, **options: Any) -> Any:
    """A punet of four maps with seeded weights, biases and normalisation included."""
    model = create("punet", num_maps_base=4, **options)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.standard_normal(w.shape).astype(np.float32) * 0.1 for w in model.get_weights()])
    return model


def restored(tf: Any, prefix: Path, picture: np.ndarray) -> np.ndarray:
    """What a checkpoint's own graph makes of a picture, as 2021's tools run it: by ``.meta`` and names alone."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        v1.train.import_meta_graph(f"{prefix}.meta", clear_devices=True).restore(session, str(prefix))
        frozen = v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["output_l0"])
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(frozen, name="")
        made: np.ndarray = session.run("output_l0:0", {"Placeholder:0": picture})
    return made


@pytest.mark.parametrize("instance_norm", [False, True])
def test_a_checkpoint_holds_weights_and_graph_by_the_names_of_2021(
    tf: Any, tmp_path: Path, instance_norm: bool
) -> None:
    model = random_punet(instance_norm=instance_norm)
    before = model.get_weights()
    prefix = write_tf1_checkpoint(model, tmp_path / "new" / "punet_iteration_3.ckpt", arch="punet")
    names = {path.name for path in prefix.parent.iterdir()}
    assert names == {f"{prefix.name}.{ending}" for ending in ("index", "data-00000-of-00001", "meta")}
    variables = dict(tf.train.list_variables(str(prefix)))
    count = 107 if instance_norm else 63
    assert variables.keys() == {"generator/Variable"} | {f"generator/Variable_{n}" for n in range(1, count)}
    assert variables["generator/Variable"] == [3, 3, 4, 4] and variables["generator/Variable_1"] == [4]
    again = create("punet", num_maps_base=4, instance_norm=instance_norm)
    assert load_checkpoint(again, prefix, model_name="punet").used == count
    for model_now in (again, model):
        assert all(map(np.array_equal, before, model_now.get_weights()))
    picture = np.random.default_rng(0).random((1, 32, 48, 4), dtype=np.float32)
    assert np.abs(restored(tf, prefix, picture) - np.asarray(model(picture))).max() < 1e-6


def test_the_placeholder_can_state_a_size(tf: Any, tmp_path: Path) -> None:
    for size, stated in ((None, [1, None, None, 4]), ((32, 48), [1, 32, 48, 4])):
        prefix = write_tf1_checkpoint(random_punet(), tmp_path / "c", arch="punet", size=size)
        with tf.Graph().as_default() as graph:
            tf.compat.v1.train.import_meta_graph(f"{prefix}.meta")
            assert graph.get_tensor_by_name("Placeholder:0").shape.as_list() == stated


def test_the_public_graphs_checkpoints_have_the_same_variables(
    tf: Any, shared_data: Path, tmp_path: Path
) -> None:
    public = shared_data / "mai2021_isp" / "punet_8.ckpt"
    model = create("punet", num_maps_base=8)
    load_checkpoint(model, public, model_name="punet")
    prefix = write_tf1_checkpoint(model, tmp_path / "c", arch="punet")
    ours, theirs = (tf.train.load_checkpoint(str(path)) for path in (prefix, public))
    assert ours.get_variable_to_shape_map() == theirs.get_variable_to_shape_map()
    for name in ours.get_variable_to_shape_map():
        assert np.array_equal(ours.get_tensor(name), theirs.get_tensor(name))
    with np.load(public.with_suffix(".npz")) as pair:
        assert np.abs(restored(tf, prefix, pair["x"]) - pair["y"]).max() < 1e-5


@pytest.mark.parametrize("fails", [".data-00000-of-00001", ".meta", ".index"])
def test_half_a_checkpoint_is_none(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    prefix = tmp_path / "punet_iteration_7.ckpt"
    write_tf1_checkpoint(random_punet(), prefix, arch="punet")
    assert iterations_in(tmp_path, arch="punet") == (7,)
    rename = Path.replace

    def stops(self: Path, target: Path) -> Path:
        if target.name.endswith(fails):
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", stops)
    with pytest.raises(EnvironmentFault, match="disk is full"):
        write_tf1_checkpoint(random_punet(), prefix, arch="punet")
    assert iterations_in(tmp_path, arch="punet") == ()
    with pytest.raises(CheckpointError):
        locate(prefix)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_checkpoint_that_cannot_be_made_leaves_the_older_one(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = write_tf1_checkpoint(random_punet(), tmp_path / "c", arch="punet")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*arguments: object, **options: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "c.data; No space left on device")

    monkeypatch.setattr(tf.compat.v1.train.Saver, "save", full)
    with pytest.raises(EnvironmentFault, match="No space left"):
        write_tf1_checkpoint(random_punet(), prefix, arch="punet")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_cannot_be_a_tf1_checkpoint_is_refused(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    without = next(name for name in ("imdn", "msrresnet", "rfdn") if spec(name).tf1_names is None)
    with pytest.raises(CallError, match=f"TF1 names; found {without}"):
        write_tf1_checkpoint(random_punet(), tmp_path / "c", arch=without)
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match="must be writable"):
        write_tf1_checkpoint(random_punet(), tmp_path / "file" / "c", arch="punet")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(EnvironmentFault, match="TensorFlow backend only; found KERAS_BACKEND=jax"):
        write_tf1_checkpoint(random_punet(), tmp_path / "c", arch="punet")
    with pytest.raises(EnvironmentFault, match="KERAS_BACKEND=jax"):
        hooks_of(isp_recipe(IspOptions(model_dir=str(tmp_path))))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_state_file_tells_tf1_the_newest(tf: Any, tmp_path: Path) -> None:
    for iteration in (20, 100, 3):
        prefix = tmp_path / f"punet_iteration_{iteration}.ckpt"
        for ending in (".index", ".data-00000-of-00001"):
            prefix.with_name(prefix.name + ending).touch()
        write_state(prefix, arch="punet")
    state = tf.train.get_checkpoint_state(str(tmp_path))
    names = [Path(path).name for path in state.all_model_checkpoint_paths]
    assert names == [f"punet_iteration_{iteration}.ckpt" for iteration in (3, 20, 100)]
    assert Path(state.model_checkpoint_path) == tmp_path / "punet_iteration_3.ckpt"
    assert Path(tf.train.latest_checkpoint(str(tmp_path))) == tmp_path / "punet_iteration_3.ckpt"


# Figures, and an epoch's end.


def held_out(count: int, side: int = 64) -> tuple[Sample, ...]:
    """Pairs of noise."""
    rng = np.random.default_rng(2)
    return tuple(
        Sample(
            input=rng.random((side // 2, side // 2, 4), dtype=np.float32),
            target=rng.random((side, side, 3), dtype=np.float32),
            name=str(number),
        )
        for number in range(count)
    )


def test_figures_are_those_of_the_public_script(tf: Any) -> None:
    from pixelproof.models.training.losses.terms import terms_of

    model, samples = random_punet(), held_out(5, side=192)
    terms = terms_of({"mse": 20.0, "ssim": 20.0}, content=None)
    figures = measure(model, samples, terms, batch_size=2)
    outputs = [np.asarray(model(sample.input[None]))[0] for sample in samples]
    pairs = [(output, sample.target) for output, sample in zip(outputs, samples, strict=True)][:4]
    errors = [np.mean(np.square(output - target, dtype=np.float64)) for output, target in pairs]
    assert figures.mse == pytest.approx(np.mean(errors), rel=1e-5)
    batches = [np.mean(errors[:2]), np.mean(errors[2:])]
    assert figures.psnr_db == pytest.approx(np.mean([-10 * math.log10(one) for one in batches]), rel=1e-5)
    assert figures.ms_ssim == pytest.approx(np.mean([ms_ssim_tf(*pair) for pair in pairs]), abs=1e-4)
    ssim = np.mean([ssim_tf(*pair) for pair in pairs])
    assert figures.loss == pytest.approx(20 * np.mean(errors) + 20 * (1 - ssim), rel=1e-4)
    assert math.isnan(figures.content)
    few = measure(model, samples[:1], terms, batch_size=2)
    assert few.mse == pytest.approx(errors[0], rel=1e-5)
    assert math.isnan(measure(model, held_out(1), terms, batch_size=2).ms_ssim)
    with pytest.raises(CallError, match="at least one pair"):
        measure(model, (), terms, batch_size=2)


def test_an_epochs_end_leaves_what_the_public_script_leaves(tf: Any, tmp_path: Path) -> None:
    told: list[str] = []
    end = IspEpochEnd(
        model_dir=tmp_path / "models",
        arch="punet",
        first_iteration=1000,
        iterations=3000,
        result_dir=tmp_path / "results",
        samples=held_out(2),
        told=told.append,
    )
    model = random_punet()
    terms = {"training": 2.0, "validation": 1.5, "content": 0.5, "mse": 0.25}
    for epoch in (1, 2):
        end.on_epoch(
            model=model, epoch=epoch, step=1000 * epoch, terms=terms, psnr=20.0 + epoch, ms_ssim=0.75
        )
    models = tmp_path / "models"
    assert iterations_in(models, arch="punet") == (2000, 3000)
    assert Path(tf.train.latest_checkpoint(str(models))).name == "punet_iteration_3000.ckpt"
    lines = (models / "logs_1000-3000.txt").read_text().split("\n\n")
    assert lines[:2] == told and lines[1].startswith(
        "step 3000 | training: 2, validation: 1.5 | content: 0.5"
    )
    pictures = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert pictures == [f"punet_iteration_{n}_img_{k}.png" for n in (2000, 3000) for k in (0, 1)]
    with Image.open(tmp_path / "results" / pictures[0]) as picture:
        both = np.asarray(picture, np.float32) / 255
    sample = held_out(1)[0]
    made = np.clip(np.asarray(model(sample.input[None]))[0], 0, 1)
    assert np.abs(both - np.concatenate((made, sample.target), axis=1)).max() <= 0.51 / 255


def test_recipes_of_other_kinds_have_no_such_end(tf: Any) -> None:
    recipe = isp_recipe(IspOptions(model_dir="no-such-folder"))
    assert hooks_of(replace(recipe, data=replace(recipe.data, kind="pairs"))) == ()
    assert hooks_of(replace(recipe, data=replace(recipe.data, options={}))) == ()
    with pytest.raises(PixelproofError, match="steps_per_epoch must be above 0"):
        hooks_of(replace(recipe, training=replace(recipe.training, steps_per_epoch=0)))
