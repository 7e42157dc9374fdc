"""``restore-images`` as typed: pictures, figures, refusals, and what is left when it ends early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from pixelproof.bayer import mosaic_of, unpack_bayer
from pixelproof.measure.metrics import psnr_db
from pixelproof.measure.parity import probe_image
from pixelproof.measure.worker import Worker

Call = Callable[..., Any]
COMMAND = [sys.executable, "-c", "from pixelproof.cli import restore_images; restore_images()"]


def rgb_graph(tf: Any, x: Any) -> Any:
    """Five pixels of context on each side; some values leave [0, 1]."""
    kernel = np.random.default_rng(1).normal(0, 0.12, (11, 11, 3, 3)).astype(np.float32)
    return x + tf.tanh(tf.nn.conv2d(x, kernel, 1, "SAME")) * 0.4


def bayer_graph(tf: Any, x: Any) -> Any:
    """Planes, in cells of 4x4, to RGB of twice the size."""
    kernel = np.random.default_rng(2).normal(0, 0.3, (3, 3, 4, 12)).astype(np.float32)
    small = tf.nn.max_pool2d(x, 4, 4, "VALID")
    maps = x + 0.2 * tf.repeat(tf.repeat(small, 4, 1), 4, 2)
    return tf.nn.depth_to_space(tf.nn.conv2d(maps, kernel, 1, "SAME") + 0.4, 2)


def mean_graph(tf: Any, x: Any) -> Any:
    """Global statistics."""
    return x - tf.reduce_mean(x, [1, 2], keepdims=True) + 0.5


@pytest.fixture(scope="module")
def models(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Frozen graphs from ``x_in`` to ``y_out``."""
    folder, found = tmp_path_factory.mktemp("models"), {}
    for name, build, channels in (("rgb", rgb_graph, 3), ("bayer", bayer_graph, 4), ("mean", mean_graph, 3)):
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(tf.float32, (1, None, None, channels), name="x_in")
            tf.identity(build(tf, x), name="y_out")
            found[name] = folder / f"{name}.pb"
            found[name].write_bytes(graph.as_graph_def().SerializeToString())
    return found


@pytest.fixture(scope="module")
def computed(models: dict[str, Path]) -> Iterator[Callable[[str, np.ndarray], np.ndarray]]:
    """``computed("rgb", x)``: the graph's own output for (height, width, channels)."""
    with Worker() as worker:

        def run(name: str, x: np.ndarray) -> np.ndarray:
            worker.load(models[name], "pb")
            return worker.run(x[None])[0]

        yield run


def pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8, (height, width, 3)."""
    return np.rint(probe_image(height, width, 3, seed=seed)[0] * 255).astype(np.uint8)


def mosaic(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint16 of 10 bit."""
    planes = probe_image(height // 2, width // 2, 4, seed=seed)[0]
    return mosaic_of(np.rint(planes * 1020).astype(np.uint16))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """``folder("in", {"0.png": pixels})``."""

    def made(name: str, images: dict[str, np.ndarray | bytes]) -> Path:
        path = tmp_path / name
        path.mkdir(exist_ok=True)
        for file, content in images.items():
            if isinstance(content, bytes):
                (path / file).write_bytes(content)
            else:
                Image.fromarray(content).save(path / file)
        return path

    return made


def png(path: Path) -> np.ndarray:
    """The pixels of a result."""
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def rounded(y: np.ndarray) -> np.ndarray:
    """As the PNG holds it."""
    return np.rint(np.clip(y.astype(np.float64), 0, 1) * 255).astype(np.uint8)


def test_rgb_images_are_restored_and_measured(
    call: Call,
    models: dict[str, Path],
    computed: Callable[..., np.ndarray],
    folder: Callable[..., Path],
    tmp_path: Path,
) -> None:
    images = {"0.png": pixels(41, 63), "1.png": pixels(30, 47, seed=1), "10.tif": pixels(33, 21, seed=2)}
    targets = {"0.png": pixels(41, 63, seed=5), "10.png": pixels(33, 21, seed=6)}
    out = tmp_path / "new" / "out"
    answer = call(
        "restore-images", str(models["rgb"]), str(folder("in", images)), "--out", str(out),
        "--targets", str(folder("targets", targets)), "--json", "-",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in out.iterdir()) == ["0.png", "1.png", "10.png"]
    report = json.loads(answer.out)
    figures = []
    for entry, (name, image) in zip(report["images"], images.items(), strict=True):
        y = computed("rgb", image.astype(np.float32) / 255)
        assert np.array_equal(png(out / f"{Path(name).stem}.png"), rounded(y))
        target = targets.get(f"{Path(name).stem}.png")
        expected = None if target is None else psnr_db(np.clip(y, 0, 1), target.astype(np.float32) / 255)
        assert entry["name"] == name and entry["psnr_db"] == (expected and pytest.approx(expected, abs=1e-6))
        figures += [] if expected is None else [expected]
    totals = report["totals"]
    assert totals["mean_of_image_psnr_db"] == pytest.approx(np.mean(figures), abs=1e-6)
    assert (totals["restored"], totals["failed"], totals["images_with_target"]) == (3, 0, 2)
    assert report["passed"] and report["threads"] >= 1 and report["worker_peak_rss_mib"] > 50
    assert len(report["artifact"]["sha256"]) == 64 and report["model"]["scale"] == 1
    assert "mean over 2 images with a target" in answer.err and "Restored 3 of 3" in answer.err


def test_raw_images_are_cropped_unpacked_and_restored(
    call: Call,
    models: dict[str, Path],
    computed: Callable[..., np.ndarray],
    folder: Callable[..., Path],
    tmp_path: Path,
) -> None:
    raw, target = mosaic(70, 90), pixels(80, 100, seed=3)
    answer = call(
        "restore-images", str(models["bayer"]), str(folder("in", {"a.png": raw})), "--out", str(tmp_path / "out"),
        "--size", "56,72", "--cfa", "grbg", "--white-level", "1023", "--black-level", "16",
        "--targets", str(folder("targets", {"a.png": target})), "--json", str(tmp_path / "report.json"),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    planes = unpack_bayer(raw[:56, :72], cfa="GRBG", white_level=1023.0, black_level=16.0)
    y = computed("bayer", planes)
    assert np.array_equal(png(tmp_path / "out" / "a.png"), rounded(y))
    (entry,) = json.loads((tmp_path / "report.json").read_text())["images"]
    expected = psnr_db(np.clip(y, 0, 1), target[:56, :72].astype(np.float32) / 255)
    assert entry["psnr_db"] == pytest.approx(expected, abs=1e-6)
    assert (entry["height"], entry["width"], entry["tiling"]) == (56, 72, None)


def test_tiles_and_continued_images_are_told(
    call: Call, models: dict[str, Path], folder: Callable[..., Path], tmp_path: Path
) -> None:
    source = folder("in", {"a.png": mosaic(402, 610)})
    arguments = ["restore-images", str(models["bayer"]), str(source), "--json", str(tmp_path / "report.json")]
    whole = call(*arguments, "--out", str(tmp_path / "whole"), "--tile", "off")
    tiled = call(*arguments, "--out", str(tmp_path / "tiled"), "--tile", "128")
    assert (whole.code, tiled.code) == (0, 0), tiled.err
    assert "takes multiples of 8: 402x610 is continued by reflection to 408x616" in tiled.out
    assert "402x610 in " in tiled.out and " tiles of " in tiled.out
    assert np.abs(png(tmp_path / "whole/a.png").astype(int) - png(tmp_path / "tiled/a.png")).max() <= 1
    report = json.loads((tmp_path / "report.json").read_text())
    tiling = report["images"][0]["tiling"]
    assert max(tiling["size"]) <= 128 and tiling["overlap"] % tiling["grid"] == 0 and tiling["grid"] == 8
    assert tiling["seam_levels"] <= 0.5 and report["images"][0]["continued_to"] == [408, 616]
    assert report["locality"]["is_local"] and report["model"]["size_multiple"] == 8


def test_a_broken_image_in_the_middle_stops_nobody(
    call: Call, models: dict[str, Path], folder: Callable[..., Path], tmp_path: Path
) -> None:
    images: dict[str, Any] = {f"{number}.png": pixels(20, 24, seed=number) for number in range(6)}
    source = folder("in", images)
    (source / "2.png").write_bytes((source / "2.png").read_bytes()[:200])
    Image.fromarray(pixels(9, 9)).convert("L").save(source / "4.png")
    answer = call(
        "restore-images", str(models["rgb"]), str(source), "--out", str(tmp_path / "out"),
        "--json", str(tmp_path / "report.json"),
    )  # fmt: skip
    assert answer.code == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "3.png", "5.png"]
    assert "Restored 4 of 6" in answer.out
    assert "Failed: 2.png: An image must be a whole, undamaged file" in answer.out
    assert "Failed: 4.png: An image must be RGB; found mode L" in answer.out
    report = json.loads((tmp_path / "report.json").read_text())
    assert [entry["name"] for entry in report["failed"]] == ["2.png", "4.png"] and not report["passed"]


def test_stop_on_error_ends_at_the_first(
    call: Call, models: dict[str, Path], folder: Callable[..., Path], tmp_path: Path
) -> None:
    source = folder("in", {"0.png": pixels(20, 24), "1.png": b"none", "2.png": pixels(20, 24)})
    answer = call(
        "restore-images", str(models["rgb"]), str(source), "--out", str(tmp_path / "out"), "--stop-on-error"
    )
    assert answer.code == 2 and "Error: An image must be a PNG" in answer.err
    assert not (tmp_path / "out" / "2.png").exists()


@pytest.mark.parametrize(
    ("model", "image", "message"),
    [
        ("bayer", pixels(32, 32), "A RAW image must have one channel of 8 or 16 bit; found mode RGB"),
        ("bayer", np.zeros((33, 32), np.uint16), "A Bayer mosaic must have even sides; found 33x32"),
        ("rgb", mosaic(32, 32), "An image must have 8 bit a channel"),
    ],
)
def test_images_for_another_model_are_named(
    call: Call,
    models: dict[str, Path],
    folder: Callable[..., Path],
    tmp_path: Path,
    model: str,
    image: np.ndarray,
    message: str,
) -> None:
    source = folder("in", {"a.png": image})
    answer = call("restore-images", str(models[model]), str(source), "--out", str(tmp_path / "out"))
    assert answer.code == 2 and message in answer.out and "Restored 0 of 1" in answer.out
    assert not (tmp_path / "out").exists()


def test_a_model_with_global_statistics_is_not_tiled(
    call: Call, models: dict[str, Path], folder: Callable[..., Path], tmp_path: Path
) -> None:
    source = folder("in", {"a.png": pixels(200, 260)})
    arguments = ["restore-images", str(models["mean"]), str(source), "--tile", "128"]
    refused = call(*arguments, "--out", str(tmp_path / "out"))
    assert refused.code == 2 and "A model with global statistics, such as instance norm" in refused.out
    asked = call(*arguments, "--out", str(tmp_path / "out"), "--allow-global-statistics")
    assert asked.code == 0 and "Warning: neighbouring tiles differ by up to" in asked.out


def test_a_graph_is_saved_for_one_size(
    call: Call, models: dict[str, Path], folder: Callable[..., Path], tmp_path: Path, tf: Any
) -> None:
    source, out = folder("in", {"a.png": mosaic(70, 90)}), tmp_path / "out"
    answer = call(
        "restore-images", str(models["bayer"]), str(source), "--out", str(out), "--size", "64,88", "--save-pb"
    )
    assert answer.code == 0, answer.err
    saved = out / "bayer_64x88.pb"
    assert f"Written: {saved}, equal to its source" in answer.out
    graph = tf.compat.v1.GraphDef.FromString(saved.read_bytes())
    (placeholder,) = [node for node in graph.node if node.op == "Placeholder"]
    assert placeholder.name == "x_in" and graph.node[-1].name == "y_out"
    assert [dim.size for dim in placeholder.attr["shape"].shape.dim] == [1, 32, 44, 4]
    again = call(
        "restore-images", str(saved), str(source), "--out", str(tmp_path / "again"), "--size", "64,88"
    )
    assert again.code == 0
    assert np.array_equal(png(tmp_path / "again" / "a.png"), png(out / "a.png"))


def test_latency_is_measured_without_pictures(
    call: Call, models: dict[str, Path], folder: Callable[..., Path], tmp_path: Path
) -> None:
    source = folder("in", {"a.png": mosaic(72, 96)})
    answer = call(
        "restore-images", str(models["bayer"]), str(source), "--latency-only", "--runs", "7", "--threads", "1",
        "--json", str(tmp_path / "report.json"),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "at 72x96: median" in answer.out and "7 runs, 1 thread" in answer.out
    report = json.loads((tmp_path / "report.json").read_text())
    latency = report["latency"]
    assert (latency["height"], latency["width"], latency["threads"]) == (36, 48, 1)
    assert len(latency["samples_ms"]) == latency["runs"] == 7
    assert latency["median_ms"] == pytest.approx(np.median(latency["samples_ms"]))
    assert report["images"] == [] and report["totals"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "report.json"]


def test_latency_needs_a_size_that_the_model_takes(call: Call, models: dict[str, Path]) -> None:
    answer = call("restore-images", str(models["bayer"]), "--latency-only", "--size", "70,96")
    assert answer.code == 2 and "found 70x96. Use --size 72,96" in answer.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "restore-images needs a model"),
        (("{rgb}",), "restore-images needs images"),
        (("{rgb}", "{in}"), "--out must name the folder"),
        (("{in}", "{in}", "--out", "{out}"), "a folder without saved_model.pb"),
        (("{rgb}", "{in}", "--out", "{out}", "--size", "12"), "--size must be two positive whole numbers"),
        (("{rgb}", "{in}", "--out", "{out}", "--size", "0,12"), "--size must be two positive whole numbers"),
        (("{rgb}", "{in}", "--out", "{out}", "--tile", "big"), "--tile must be auto, off, or the side"),
        (("{rgb}", "{in}", "--out", "{in}"), "A result must not replace an image"),
        (("{rgb}", "{in}", "--out", "{there}"), r"Results must not be there already; found 0.png"),
        (
            ("{rgb}", "{in}", "--out", "{out}", "--save-pb", "--size", "8,8", "--save-pb", "{in}"),
            "write a .pb",
        ),
        (("{rgb}", "{in}", "--out", "{out}", "--save-pb"), "--save-pb binds the graph to a --size"),
        (("{rgb}", "{in}", "--out", "{out}", "--size", "8,8", "--save-pb", "{rgb}"), "not replace the model"),
        (("{rgb}", "{in}", "--out", "{out}", "--num-maps-base", "8"), "An artifact brings its own weights"),
        (("{rgb}", "{in}", "--out", "{out}", "--ckpt", "x"), "An artifact brings its own weights"),
        (("{in}", "--model", "punet", "--out", "{out}"), "needs its checkpoint"),
        (("{rgb}", "{out}", "--out", "{out}"), "An image must be a file, or lie in a folder"),
        (("{rgb}", "--latency-only", "--targets", "{in}"), "--latency-only makes no pictures"),
    ],
)
def test_wrong_calls_are_told_before_any_work(
    call: Call,
    models: dict[str, Path],
    folder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    from pixelproof.convert.restore import engine

    monkeypatch.setattr(engine, "Worker", None)
    names = {"rgb": models["rgb"], "in": folder("in", {"0.png": pixels(8, 8)}), "out": tmp_path / "out"}
    names["there"] = folder("there", {"0.png": pixels(8, 8)})
    answer = call("restore-images", *(word.format(**names) for word in arguments))
    assert answer.code == 2 and message in answer.err, answer.err
    assert not (tmp_path / "out").exists()


def test_a_tflite_file_restores_too(
    call: Call,
    models: dict[str, Path],
    folder: Callable[..., Path],
    tmp_path: Path,
    computed: Callable[..., np.ndarray],
) -> None:
    made = tmp_path / "model.tflite"
    assert call("pb2tflite", str(models["bayer"]), "--input-shape", "1,32,44,4", "--out", str(made)).code == 0
    raw = mosaic(64, 88)
    answer = call(
        "restore-images", str(made), str(folder("in", {"a.png": raw})), "--out", str(tmp_path / "out")
    )
    assert answer.code == 0, answer.err
    expected = rounded(computed("bayer", unpack_bayer(raw)))
    assert np.abs(png(tmp_path / "out" / "a.png").astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("option", "node"), [("--input-name", "x_in"), ("--output-name", "y_out")])
def test_nodes_are_used_as_named_or_not_at_all(
    call: Call, models: dict[str, Path], folder: Callable[..., Path], tmp_path: Path, option: str, node: str
) -> None:
    arguments = ["restore-images", str(models["rgb"]), str(folder("in", {"a.png": pixels(9, 9)}))]
    refused = call(*arguments, "--out", str(tmp_path / "out"), option, "nope")
    assert refused.code == 2
    assert f"{option} must name a node of the model; found 'nope'. Choices: {node}." in refused.err
    assert call(*arguments, "--out", str(tmp_path / "out"), option, node).code == 0


@pytest.mark.official
def test_a_checkpoint_takes_the_models_place(
    call: Call, shared_data: Path, folder: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint, source = (
        shared_data / "mai2021_isp" / "punet_8.ckpt",
        folder("in", {"a.png": mosaic(130, 192)}),
    )
    answer = call(
        "restore-images", "--model", "punet", "--num-maps-base", "8", "--ckpt", str(checkpoint), str(source),
        "--out", str(tmp_path / "out"), "--size", "128,192", "--output-name", "output_l0", "--save-pb",
        "--json", str(tmp_path / "report.json"),
    )  # fmt: skip
    assert answer.code == 0, answer.err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["model"]["output"] == "output_l0:0" and report["model"]["channels"] == 4
    assert report["artifact"]["path"] == "punet with punet_8.ckpt"
    saved = tmp_path / "out" / "punet_8_128x192.pb"
    with Worker() as worker:
        worker.load(saved, "pb")
        y = worker.run(unpack_bayer(mosaic(130, 192)[:128])[None])[0]
    assert np.array_equal(png(tmp_path / "out" / "a.png"), rounded(y))


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_leaves_whole_pictures_only(
    models: dict[str, Path], folder: Callable[..., Path], tmp_path: Path
) -> None:
    height, width = (
        500,
        700,
    )  # so large that all of them take longer than a busy machine needs to send a signal
    source = folder("in", {f"{number}.png": pixels(height, width, seed=number) for number in range(40)})
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    with subprocess.Popen(
        [*COMMAND, models["rgb"], *[source / f"{n % 40}.png" for n in range(40)], "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as running:
        while not list(out.glob("*.png")):
            assert running.poll() is None
            time.sleep(0.005)
        workers = psutil.Process(running.pid).children()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert said.strip() == "Stopped. Nothing half-written was left behind."
    names = sorted(path.name for path in out.iterdir())
    assert 0 < len(names) < 40
    for name in names:
        assert png(out / name).shape == (height, width, 3)
    assert list(temporary.iterdir()) == []
    assert workers and not [worker for worker in workers if worker.is_running()]


def test_help_needs_no_tensorflow() -> None:
    code = "import sys; from pixelproof.cli import restore_images\ntry: restore_images()\nfinally: print('tensorflow' in sys.modules, 'numpy' in sys.modules)"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert "--allow-global-statistics" in done.stdout and done.stdout.rstrip().endswith("False False")


def test_the_page_names_every_option() -> None:
    from pixelproof.convert.restore.commands import restore_images

    page = Path(__file__).resolve().parents[2] / "docs" / "restore.md"
    if not page.is_file():
        pytest.skip("the pages are in the checkout only")
    options = [name for option in restore_images.params for name in option.opts if name.startswith("--")]
    text = page.read_text(encoding="utf-8")
    assert [name for name in options if f"`{name}" not in text and "_" not in name] == []
