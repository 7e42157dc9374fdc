"""A training run: its folder, checkpoints, exact resume, and what goes wrong."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pixelproof.errors import CallError, CheckpointError, EnvironmentFault, RecipeError, TrainingDiverged
from pixelproof.models.training.recipe import Data, Loop, Optimizer, TrainingRecipe
from pixelproof.models.training.run.commands import train_model

_MAIN = "from pixelproof.cli import main; main()"
OWN = '''
import keras


def small():
    """A convolution, dropout, a convolution; and the picture itself."""
    image = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    maps = keras.layers.Dropout(0.3)(maps)
    maps = keras.layers.Conv2D(3, 3, padding="same")(maps)
    return keras.Model(image, keras.layers.Add()([image, maps]))


def bursting():
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.Conv2D(3, 3, padding="same", kernel_initializer=inf)(image))


def inf(shape, dtype=None):
    return keras.ops.full(shape, 3e38, dtype=dtype)


def grey():
    image = keras.Input((None, None, 1))
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same")(image))
'''


@pytest.fixture(autouse=True)
def determinism_ends() -> Iterator[None]:
    """What a deterministic run in this process asked TensorFlow for is not asked of other tests."""
    yield
    from tensorflow.python.framework import config

    config.disable_op_determinism()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six smooth pictures to learn from, two to measure on, and a network of one's own."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(3)
    for part, count in (("train", 6), ("validation", 2)):
        (folder / part).mkdir()
        for number in range(count):
            small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
            small.resize((64, 48), Image.Resampling.BICUBIC).save(folder / part / f"{number}.png")
    (folder / "own.py").write_text(OWN)
    return folder


def recipe_of(photos: Path, *, function: str = "small", **loop: Any) -> TrainingRecipe:
    """A quick recipe: 8 steps an epoch on crops of 16x16."""
    data = Data("photographs", str(photos / "train"), str(photos / "validation"), {"crop": 16})
    settings = {"batch_size": 4, "epochs": 3, "steps_per_epoch": 8, "deterministic": True, "keep": 0, **loop}
    return TrainingRecipe(
        "quick",
        f"{photos / 'own.py'}:{function}",
        data,
        scale=2,
        seed=5,
        training=Loop(**settings),
        optimizer=Optimizer(learning_rate=1e-3, schedule="cosine"),
    )


def written(recipe: TrainingRecipe, path: Path) -> Path:
    """The recipe as a file."""
    from pixelproof.models.training.run.recipe_file import as_toml

    path.write_text(as_toml(recipe))
    return path


def called(*arguments: object) -> Result:
    """The command in this process."""
    return CliRunner().invoke(train_model, [str(one) for one in arguments])


def started(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", _MAIN, "train-model", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What a process said, if all went well."""
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def whole_run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run of six epochs, in a process of its own."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = written(recipe_of(photos, epochs=6, steps_per_epoch=60), folder / "recipe.toml")
    ended(started("train", recipe, "--out", folder / "run", "--threads", 2))
    return folder / "run"


def arrays_in(path: Path) -> dict[str, Any]:
    from pixelproof.models.training.run.checkpoints import read_checkpoint

    return dict(read_checkpoint(path).arrays)


def rows_in(run: Path) -> list[dict[str, str]]:
    """The history's rows."""
    return list(csv.DictReader((run / "history.csv").read_text().splitlines()))


def test_killed_at_a_moment_and_resumed_it_is_the_same_run(
    photos: Path, whole_run: Path, tmp_path: Path
) -> None:
    from pixelproof.models.training.run.checkpoints import newest_checkpoint

    recipe = written(recipe_of(photos, epochs=6, steps_per_epoch=60), tmp_path / "recipe.toml")
    run = tmp_path / "run"
    process = started("train", recipe, "--out", run, "--threads", 2)
    deadline = time.monotonic() + 200
    while not (run / "checkpoints" / "epoch-0002.keras").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (run / "final.keras").exists()  # it was really incomplete
    stood, damaged = newest_checkpoint(run)
    assert 2 <= stood.arguments.epoch < 6 and not damaged

    said = ended(started("resume", run, "--threads", 2))
    assert f"epoch {stood.arguments.epoch}" in said
    resumed, uninterrupted = arrays_in(run / "final.keras"), arrays_in(whole_run / "final.keras")
    assert sorted(resumed) == sorted(uninterrupted)
    seeds = [name for name in resumed if "seed_generator" in name]
    assert seeds  # dropout's state is among them
    for name, value in uninterrupted.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
    for mine, other in zip(rows_in(run), rows_in(whole_run), strict=True):
        for column in ("epoch", "step", "samples", "learning_rate", "loss", "validation_psnr_db"):
            assert mine[column] == other[column]


def test_dropouts_seed_decides_so_the_test_above_can_fail(
    photos: Path, whole_run: Path, tmp_path: Path
) -> None:
    """The same checkpoint with another state of dropout's seed goes on to other weights."""
    from pixelproof.models.training.run.backend import Hardware, import_keras
    from pixelproof.models.training.run.checkpoints import Checkpoint, read_checkpoint
    from pixelproof.models.training.run.folder import RunFolder
    from pixelproof.models.training.run.session import open_data, train

    import_keras(Hardware())
    recipe = recipe_of(photos, epochs=4, steps_per_epoch=5, deterministic=False)
    data = open_data(recipe)
    first = train(
        replace(recipe, training=replace(recipe.training, epochs=2)), made(tmp_path / "a"), data=data
    )
    start = read_checkpoint(first.run.final)
    other = {name: value + 1 if "seed_generator" in name else value for name, value in start.arrays.items()}
    ends = []
    for name, arrays in (("b", start.arrays), ("c", other), ("d", start.arrays)):
        begun = Checkpoint(start.path, start.arguments, arrays)
        train(recipe, RunFolder(made(tmp_path / name).path), data=data, start=begun)
        ends.append(arrays_in(tmp_path / name / "final.keras")["model.0000.kernel"])
    np.testing.assert_array_equal(ends[0], ends[2])
    assert np.abs(ends[0] - ends[1]).max() > 1e-7


def made(path: Path) -> Any:
    from pixelproof.models.training.run.folder import new_run

    return new_run(path)


def test_a_runs_folder_holds_what_it_promises(whole_run: Path) -> None:
    from pixelproof.models.training.run.recipe_file import load_recipe

    assert [path.name for path in sorted((whole_run / "checkpoints").iterdir())] == [
        f"epoch-{number:04d}.keras" for number in range(1, 7)
    ]
    assert load_recipe(str(whole_run / "run.toml")).training.epochs == 6
    rows = rows_in(whole_run)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [int(row["samples"]) for row in rows] == [240 * number for number in range(1, 7)]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert float(rows[-1]["learning_rate"]) == pytest.approx(0, abs=1e-9)
    assert len((whole_run / "logs" / "train.log").read_text().splitlines()) == 6
    assert json.loads((whole_run / "machine.json").read_text())["versions"]["keras"]
    with Image.open(whole_run / "curves.png") as curves:
        assert min(curves.size) > 300
    assert any("tfevents" in path.name for path in (whole_run / "logs").iterdir())


def test_tensorboard_reads_the_events(whole_run: Path) -> None:
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    file = next(path for path in (whole_run / "logs").iterdir() if "tfevents" in path.name)
    events = [event for event in loader.EventFileLoader(str(file)).Load() if event.summary.value]
    assert [event.step for event in events] == [60 * number for number in range(1, 7)]
    assert {"loss", "validation_psnr_db"} <= {value.tag for value in events[0].summary.value}


def test_a_checkpoint_is_a_keras_file_of_the_bare_model(whole_run: Path, photos: Path) -> None:
    import keras

    from pixelproof.models.training.run.checkpoints import model_of, read_checkpoint

    model = keras.saving.load_model(whole_run / "final.keras")
    ours = model_of(read_checkpoint(whole_run / "final.keras"))
    image = np.random.default_rng(1).random((1, 20, 24, 3), np.float32)
    np.testing.assert_array_equal(np.asarray(model(image)), np.asarray(ours(image)))


def test_the_newest_good_checkpoint_is_taken_and_a_damaged_one_named(
    photos: Path, whole_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    for name in ("run.toml", "checkpoints/epoch-0004.keras", "checkpoints/epoch-0005.keras"):
        (run / name).write_bytes((whole_run / name).read_bytes())
    newest = run / "checkpoints" / "epoch-0005.keras"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(bytes(data))
    result = called("inspect", run, "--json", "-")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["epoch"] == 4 and told["skipped"] == [str(newest)]
    assert "epoch-0005.keras" in result.stderr
    newest.write_bytes(bytes(data[: len(data) // 2]))
    assert json.loads(called("inspect", run, "--json", "-").stdout)["epoch"] == 4
    (run / "checkpoints" / "epoch-0004.keras").write_bytes(b"")
    result = called("inspect", run)
    assert isinstance(result.exception, CheckpointError)
    assert "epoch-0004" in str(result.exception) and "epoch-0005" in str(result.exception)


def test_a_strangers_keras_file_is_no_checkpoint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    result = called("inspect", tmp_path / "a.keras")
    assert isinstance(result.exception, CheckpointError) and "train-model" in str(result.exception)
    assert isinstance(called("inspect", tmp_path).exception, CheckpointError)
    assert isinstance(called("inspect", tmp_path / "none").exception, CheckpointError)


def test_weights_alone_are_no_checkpoint_and_tensorflow_keeps_quiet() -> None:
    """In a process of its own, where nothing has imported Keras before."""
    weights = Path(__file__).parents[2] / "models_pretrained" / "own-srcnn_915-x3.weights.h5"
    command = [sys.executable, "-c", _MAIN, "train-model", "inspect", str(weights)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "weights alone" in line and "RUN/checkpoints" in line


def test_resume_takes_overrides_and_refuses_contradictions(whole_run: Path, tmp_path: Path) -> None:
    third = whole_run / "checkpoints" / "epoch-0003.keras"
    refused = called("resume", third)
    assert isinstance(refused.exception, CallError) and "--out" in str(refused.exception)
    for option, value in (("--scale", 3), ("--model", "srcnn"), ("--seed", 6), ("--crop", 32)):
        refused = called("resume", whole_run, option, value, "--num-epoch", 7)
        assert isinstance(refused.exception, CallError), refused.output
        assert option in str(refused.exception)
    done = called("resume", whole_run)
    assert isinstance(done.exception, CallError) and "--num-epoch" in str(done.exception)
    out = tmp_path / "other"
    result = called(
        "resume", third, "--out", out, "--num-epoch", 4, "--batch-size", 2, "--lr", 0.01, "--save-freq", 2
    )
    assert result.exit_code == 0, result.output
    rows = rows_in(out)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    assert int(rows[-1]["samples"]) == 3 * 240 + 120
    assert (out / "final.keras").exists()


def test_a_diverging_run_stops_with_step_files_and_the_last_checkpoint(photos: Path, tmp_path: Path) -> None:
    recipe = written(recipe_of(photos, function="bursting"), tmp_path / "recipe.toml")
    result = called("train", recipe, "--out", tmp_path / "run", "--no-deterministic")
    assert isinstance(result.exception, TrainingDiverged), result.output
    said = str(result.exception)
    assert "step 1" in said and ".png" in said and "no checkpoint" in said
    assert not (tmp_path / "run" / "final.keras").exists()


def test_a_full_disk_leaves_the_checkpoint_before_it_good(
    photos: Path, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from pixelproof.models.training.run.checkpoints import model_of, read_checkpoint, write_checkpoint

    good = read_checkpoint(whole_run / "final.keras")
    path = tmp_path / "epoch-0001.keras"
    write_checkpoint(path, model=model_of(good), arrays=good.arrays, arguments=good.arguments)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EnvironmentFault, match="full"):
        write_checkpoint(path, model=model_of(good), arrays=good.arrays, arguments=good.arguments)
    monkeypatch.undo()
    assert path.read_bytes() == before and [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_average_is_what_is_written(photos: Path, tmp_path: Path) -> None:
    from pixelproof.models.training.run.checkpoints import model_of, read_checkpoint

    recipe = written(recipe_of(photos, ema=0.9, epochs=2), tmp_path / "recipe.toml")
    result = called("train", recipe, "--out", tmp_path / "run", "--no-deterministic", "--sample-freq", 1)
    assert result.exit_code == 0, result.output
    checkpoint = read_checkpoint(tmp_path / "run" / "checkpoints" / "epoch-0002.keras")
    kernel = np.asarray(model_of(checkpoint).get_weights()[0])
    assert np.abs(kernel - checkpoint.arrays["model.0000.kernel"]).max() > 1e-5
    averages = [value for name, value in checkpoint.arrays.items() if name.startswith("optimizer.")]
    assert any(value.shape == kernel.shape and np.array_equal(value, kernel) for value in averages)
    assert (tmp_path / "run" / "samples" / "epoch-0001-0.png").exists()


def test_mixed_precision_trains_and_writes_float32(photos: Path, tmp_path: Path) -> None:
    recipe = written(recipe_of(photos, epochs=1), tmp_path / "recipe.toml")
    result = called(
        "train", recipe, "--out", tmp_path / "run", "--no-deterministic", "--precision", "mixed_bfloat16"
    )
    assert result.exit_code == 0, result.output
    arrays = arrays_in(tmp_path / "run" / "final.keras")
    assert {str(value.dtype) for name, value in arrays.items() if name.startswith("model.")} >= {"float32"}


def test_a_run_is_trained_by_one_at_a_time(photos: Path, tmp_path: Path) -> None:
    from pixelproof.models.training.run.folder import RunFolder, held

    run = RunFolder(tmp_path)
    with held(run), pytest.raises(CallError, match="one process at a time"), held(run):
        pass


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["train"], CallError, "--model and --data"),
        (["train", "nothing-like-it"], CallError, "recipe"),
        (["train", "--model", "srcn", "--data", "."], CallError, "srcnn"),
        (["train", "--model", "msrresnet", "--data", ".", "--scale", "3"], CallError, "4"),
        (["train", "--model", "srcnn", "--data", ".", "--lr", "0"], RecipeError, "learning_rate"),
        (["train", "--model", "nofile.py:f", "--data", "."], CallError, "FILE.py:FUNCTION"),
    ],
)
def test_wrong_calls(arguments: list[str], kind: type[Exception], words: str) -> None:
    result = called(*arguments)
    assert isinstance(result.exception, kind), result.output
    assert words in str(result.exception)


def test_data_that_doesnt_suit_the_model_is_told_before_a_step(photos: Path, tmp_path: Path) -> None:
    recipe = written(recipe_of(photos, function="grey"), tmp_path / "recipe.toml")
    result = called("train", recipe, "--out", tmp_path / "run")
    assert isinstance(result.exception, Exception) and "channel" in str(result.exception)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    recipe = written(recipe_of(photos), tmp_path / "recipe.toml")
    result = called("train", recipe, "--out", tmp_path / "full")
    assert isinstance(result.exception, CallError) and "new or empty" in str(result.exception)


def test_recipes_survive_the_way_through_toml(photos: Path) -> None:
    from pixelproof.models.training.run.recipe_file import as_toml, bundled_recipes, load_recipe, parse_recipe

    assert bundled_recipes()
    for recipe in [recipe_of(photos), *map(load_recipe, bundled_recipes())]:
        assert parse_recipe(as_toml(recipe), label="again") == recipe


def test_a_recipes_wrong_key_is_named_with_its_line() -> None:
    from pixelproof.models.training.run.recipe_file import parse_recipe

    text = 'id = "a"\nmodel = "srcnn"\n\n[data]\nkind = "photographs"\ntrain = "x"\n\n[training]\nepoch = 3\n'
    with pytest.raises(RecipeError, match=r"training\.epoch .*line 9"):
        parse_recipe(text, label="a.toml")


def test_an_adversarial_run_is_resumed_exactly(photos: Path, tmp_path: Path) -> None:
    from pixelproof.models.training.recipe import Adversarial
    from pixelproof.models.training.run.backend import Hardware, import_keras
    from pixelproof.models.training.run.checkpoints import read_checkpoint
    from pixelproof.models.training.run.session import open_data, train

    import_keras(Hardware())
    recipe = recipe_of(photos, epochs=3, steps_per_epoch=3, deterministic=False, ema=0.9)
    recipe = replace(recipe, adversarial=Adversarial(features=4, from_epoch=1))
    data = open_data(recipe)
    train(recipe, made(tmp_path / "whole"), data=data)
    halfway = read_checkpoint(tmp_path / "whole" / "checkpoints" / "epoch-0002.keras")
    train(recipe, made(tmp_path / "resumed"), data=data, start=halfway)
    ours, theirs = (arrays_in(tmp_path / name / "final.keras") for name in ("resumed", "whole"))
    assert any("discriminator" in name for name in theirs)
    assert sorted(ours) == sorted(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    assert {"adversarial", "discriminator"} <= set(rows_in(tmp_path / "whole")[-1])


def test_the_terms_of_a_loss_are_told_and_add_up(photos: Path, tmp_path: Path) -> None:
    recipe = replace(recipe_of(photos, epochs=1), loss={"mse": 20.0, "l1": 0.0, "ssim": 3.0})
    result = called(
        "train", written(recipe, tmp_path / "recipe.toml"), "--out", tmp_path / "run", "--no-deterministic"
    )
    assert result.exit_code == 0, result.output
    row = {name: float(value) for name, value in rows_in(tmp_path / "run")[-1].items() if value}
    assert 0 < row["ssim"] < 2 and 0 < row["l1"] < 1  # of weight 0: measured alone
    assert 20 * row["mse"] + 3 * row["ssim"] == pytest.approx(row["loss"], rel=1e-6)


def test_other_commands_take_a_run_and_know_its_options(photos: Path, tmp_path: Path) -> None:
    import keras

    from pixelproof.models.checkpoints.loading import load_checkpoint
    from pixelproof.models.checkpoints.locate import locate
    from pixelproof.models.checkpoints.options import options_for
    from pixelproof.models.registry import create

    data = Data("photographs", str(photos / "train"), "", {"crop": 16})
    loop = Loop(batch_size=2, epochs=2, steps_per_epoch=1)
    options = {"features": 8, "blocks": 1}
    recipe = TrainingRecipe("small", "msrresnet", data, scale=4, model_options=options, training=loop)
    result = called("train", written(recipe, tmp_path / "recipe.toml"), "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    run = tmp_path / "run"
    assert locate(run).path == run / "checkpoints" / "epoch-0002.keras"
    found = options_for("msrresnet", run, {})
    assert found == options and options_for("msrresnet", run, {"features": 9})["features"] == 9
    assert options_for("srcnn", run, {}) == {}
    model = create("msrresnet", **found)
    load_checkpoint(model, run, model_name="msrresnet")
    image = np.random.default_rng(1).random((1, 9, 8, 3), np.float32)
    theirs = keras.saving.load_model(run / "final.keras")
    np.testing.assert_array_equal(np.asarray(model(image)), np.asarray(theirs(image)))


def test_the_recipes_are_listed() -> None:
    result = called("recipes", "--json", "-")
    assert result.exit_code == 0, result.output
    listed = json.loads(result.stdout)["recipes"]
    assert {"srcnn-x3", "ai6126-msrresnet", "mai2021-isp"} <= {one["id"] for one in listed}
    assert all(one["title"] for one in listed) and "srcnn-x3" in result.stderr


def test_a_run_that_cant_begin_leaves_nothing_in_the_way(photos: Path, tmp_path: Path) -> None:
    from pixelproof.models.training.recipe import Content

    recipe = replace(recipe_of(photos, epochs=1), loss={"content": 1.0}, content=Content("none.mat"))
    out = tmp_path / "run"
    refused = called("train", written(recipe, tmp_path / "recipe.toml"), "--out", out)
    assert isinstance(refused.exception, CheckpointError) and "none.mat" in str(refused.exception)
    again = called("train", written(recipe_of(photos, epochs=1), tmp_path / "recipe.toml"), "--out", out)
    assert again.exit_code == 0, again.output
    third = called("train", tmp_path / "recipe.toml", "--out", out)
    assert isinstance(third.exception, CallError) and "resume" in str(third.exception)
