"""Restoring through real graphs: what trials find out about them, and that tiles give the whole image's picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelproof.convert.restore import choice, sizing
from pixelproof.convert.restore.canvas import Canvas
from pixelproof.convert.restore.choice import Options, Way
from pixelproof.convert.restore.crew import Crew
from pixelproof.convert.restore.engine import Engine, Facts, facts_of
from pixelproof.convert.restore.fitting import Fit, find_fit
from pixelproof.convert.restore.fixed_pb import save_fixed_pb
from pixelproof.convert.restore.locality import find_locality
from pixelproof.convert.restore.restorer import Restored, Restorer
from pixelproof.convert.restore.tiled import run_tiled
from pixelproof.convert.restore.tiles import tiling
from pixelproof.errors import CallError, ImageError, ModelFailed, WorkerStopped
from pixelproof.measure.parity import probe_image
from pixelproof.measure.worker import Loaded
from pixelproof.report import Interface, TensorInfo

CHANNELS = {"local": 3, "strided": 3, "unet": 4, "global": 4}


@dataclass(frozen=True)
class Model:
    """A graph in its worker, and what was found out about it."""

    path: Path
    crew: Crew
    facts: Facts
    fit: Fit

    def restore(self, image: np.ndarray, options: Options, *, notes: list[str] | None = None) -> Restored:
        """An image, tiled where the options say so."""
        lines = [] if notes is None else notes
        restorer = Restorer(self.crew, self.facts, self.fit, options, note=lines.append)
        way = restorer.way_for(image)
        if way.tiling is None:
            return restorer.whole(image, way, Canvas)
        return restorer.tiled(image, way, Canvas, progress=lambda text: None)

    def picture(self, image: np.ndarray, **options: Any) -> np.ndarray:
        """Its 8-bit levels as int."""
        return self.restore(image, Options(**options)).canvas.image8.astype(int)


def local_graph(tf: Any, x: Any) -> Any:
    """A 5x5 and a 3x3 convolution: three pixels of context on each side."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, 0.15, (5, 5, 3, 8)), rng.normal(0, 0.15, (3, 3, 8, 3))
    maps = tf.nn.relu(tf.nn.conv2d(x, first.astype(np.float32), 1, "SAME"))
    return tf.nn.conv2d(maps, second.astype(np.float32), 1, "SAME") + 0.4


def strided_graph(tf: Any, x: Any) -> Any:
    """Cells of 4x4 that SAME padding counts from a place that depends on the size; any size is taken."""
    kernel = np.random.default_rng(2).normal(0, 0.1, (6, 6, 3, 48)).astype(np.float32)
    maps = tf.nn.depth_to_space(tf.nn.conv2d(x, kernel, 4, "SAME"), 4)
    shape = tf.shape(x)
    return maps[:, : shape[1], : shape[2]] + 0.3 * x + 0.3


def unet_graph(tf: Any, *, instance_norm: bool) -> Any:
    """punet with weights large enough for its deep levels to count, frozen."""
    from pixelproof.convert.frozen_graph import freeze_function, tidy
    from pixelproof.models.registry import create

    model, rng = create("punet", num_maps_base=4, instance_norm=instance_norm), np.random.default_rng(3)
    for weight in model.weights:
        if weight.path.endswith("kernel"):
            fan = np.prod(weight.shape[:2]) * min(weight.shape[2:])
            weight.assign(rng.normal(0, (1.2 / fan) ** 0.5, weight.shape))
    spec = tf.TensorSpec((1, None, None, 4), tf.float32, name="x")
    function = tf.function(lambda x: model(x, training=False), autograph=False).get_concrete_function(spec)
    graph, start, end = freeze_function(function)
    return tidy(graph, input_tensor=start, output_tensor=end, input_name="input", output_name="output_l0")


@pytest.fixture(scope="module")
def graphs(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Frozen graphs by name."""
    folder = tmp_path_factory.mktemp("graphs")
    defined = {}
    for name, build in (("local", local_graph), ("strided", strided_graph)):
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
            tf.identity(build(tf, x), name="output")
            defined[name] = graph.as_graph_def()
    defined["unet"] = unet_graph(tf, instance_norm=False)
    defined["global"] = unet_graph(tf, instance_norm=True)
    paths = {name: folder / f"{name}.pb" for name in defined}
    for name, graph_def in defined.items():
        paths[name].write_bytes(graph_def.SerializeToString())
    return paths


@pytest.fixture(scope="module")
def model(graphs: dict[str, Path]) -> Iterator[Callable[..., Model]]:
    """``model("unet")``: loaded once; further files by path."""
    opened: dict[Path, Model] = {}
    with ExitStack() as closing:

        def open_it(name: str | Path) -> Model:
            path = graphs[name] if isinstance(name, str) else name
            if path not in opened:
                start = lambda threads: Engine(path, "pb", threads=threads)  # noqa: E731
                crew = closing.enter_context(Crew(start, threads=2, workers=1))
                facts = crew.load()
                opened[path] = Model(path, crew, facts, find_fit(crew.run, facts))
            return opened[path]

        yield open_it


def image(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """A picture without symmetry."""
    found: np.ndarray = probe_image(height, width, channels, seed=seed)[0]
    return found


@pytest.mark.parametrize(("name", "multiple", "scale"), [("local", 1, 1), ("strided", 1, 1), ("unet", 16, 2)])
def test_sizes_that_a_model_takes_are_found(
    model: Callable[..., Model], name: str, multiple: int, scale: int
) -> None:
    found = model(name)
    assert found.fit == Fit(multiple=multiple, scale=scale)
    assert (found.facts.channels, found.facts.fixed) == (CHANNELS[name], (None, None))


@pytest.mark.parametrize(("name", "grid"), [("local", 1), ("strided", 4), ("unet", 16)])
def test_reach_and_grid_of_local_models_are_found(model: Callable[..., Model], name: str, grid: int) -> None:
    m = model(name)
    found = find_locality(m.crew.run, m.facts, m.fit)
    assert found.is_local and found.grid == grid and found.far_levels < 0.05
    assert found.overlap is not None and found.overlap % grid == 0
    assert found.overlap == 3 + 1 if name == "local" else found.overlap >= grid  # one for the seam


def test_a_model_with_global_statistics_is_found_out(model: Callable[..., Model]) -> None:
    m = model("global")
    told = find_locality(m.crew.run, m.facts, m.fit)
    tried = find_locality(m.crew.run, replace(m.facts, says_global=False), m.fit)
    assert m.facts.says_global
    for found in (told, tried):
        assert not found.is_local and found.overlap is None and found.far_levels > 1
    assert tried.reach > told.reach


@pytest.mark.parametrize(
    ("name", "size", "tile"),
    [
        ("local", (131, 77), 64),
        ("local", (200, 333), 100),
        ("strided", (203, 166), 64),
        ("strided", (150, 151), 50),
        ("unet", (400, 592), 384),
        ("unet", (393, 585), 400),
    ],
)
def test_tiles_give_the_picture_of_the_whole_image(
    model: Callable[..., Model], name: str, size: tuple[int, int], tile: int
) -> None:
    m, x = model(name), image(*size, CHANNELS[name], seed=7)
    whole, tiled = m.picture(x, tile=0), m.restore(x, Options(tile=tile))
    assert tiled.tiling is not None and len(tiled.tiling) > 1
    assert whole.shape == (size[0] * m.fit.scale, size[1] * m.fit.scale, 3)
    assert np.abs(tiled.canvas.image8.astype(int) - whole).max() <= 1
    assert tiled.seam_levels is not None and tiled.seam_levels <= 0.5


def test_tiles_off_the_grid_give_another_picture(model: Callable[..., Model]) -> None:
    """What the grid is for: the same tiles, begun elsewhere."""
    m, x = model("strided"), image(150, 151, 3)
    tiles = tiling((150, 151), tile=(51, 51), overlap=8, grid=1)
    canvas = Canvas((150, 151))
    seam = run_tiled(m.crew.run, x, tiles, canvas=canvas, scale=1, note=lambda text: None)
    assert np.abs(canvas.image8.astype(int) - m.picture(x, tile=0)).max() > 1
    assert seam is not None and seam > 1


def test_an_overlap_that_turns_out_too_small_is_widened(
    model: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    m, x = model("unet"), image(400, 592, 4, seed=9)
    found = find_locality(m.crew.run, m.facts, m.fit)
    monkeypatch.setattr(choice, "find_locality", lambda *given, **named: replace(found, overlap=16))
    notes: list[str] = []
    restored = m.restore(x, Options(tile=384), notes=notes)
    assert any("where they meet: the overlap is now 64" in note for note in notes)
    assert restored.tiling is not None and restored.tiling.overlap > 16
    assert np.abs(restored.canvas.image8.astype(int) - m.picture(x, tile=0)).max() <= 1


def test_an_overlap_of_the_users_own_is_kept_and_its_seams_measured(model: Callable[..., Model]) -> None:
    restored = model("unet").restore(image(400, 592, 4), Options(tile=200, overlap=1))
    assert restored.tiling is not None and restored.tiling.overlap == 1
    assert restored.seam_levels is not None and restored.seam_levels > 1


def test_tiles_for_global_statistics_are_refused_unless_asked_for(model: Callable[..., Model]) -> None:
    m, x = model("global"), image(400, 592, 4)
    with pytest.raises(
        CallError, match=r"global statistics, such as instance normalisation, must see the whole"
    ):
        m.restore(x, Options(tile=128))
    tiled = m.restore(x, Options(tile=256, allow_global=True))
    assert tiled.tiling is not None and len(tiled.tiling) > 1
    assert m.restore(x, Options(tile=0)).tiling is None


@pytest.mark.parametrize(("pad", "name"), [(False, "unet"), (False, "global"), (None, "global")])
def test_a_size_that_may_not_be_changed_is_refused(
    model: Callable[..., Model], pad: bool | None, name: str
) -> None:
    with pytest.raises(ImageError, match=r"multiples of 32.*found 100x140. --size 96,128 crops it; --pad"):
        model(name).restore(image(50, 70, 4), Options(pad=pad))


def test_a_continued_image_is_the_same_but_for_its_border(model: Callable[..., Model]) -> None:
    m, x, notes = model("unet"), image(400, 528, 4), []
    part = m.restore(x[:393, :521], Options(), notes=notes)
    assert notes == [
        "the model takes multiples of 32: 786x1042 is continued by reflection to 800x1056, and the result cropped"
    ]
    assert part.size == (400, 528) and part.canvas.size == (786, 1042)
    assert np.abs(part.canvas.image8.astype(int) - m.picture(x)[:786, :1042])[:380, :400].max() <= 1


def test_a_global_model_is_continued_where_that_is_asked_for(model: Callable[..., Model]) -> None:
    assert model("global").picture(image(50, 70, 4), pad=True).shape == (100, 140, 3)


def test_memory_decides_whether_to_tile(model: Callable[..., Model], monkeypatch: pytest.MonkeyPatch) -> None:
    m, x = model("unet"), image(560, 720, 4)
    whole = m.restore(x, Options())
    assert whole.tiling is None
    appetite = sizing.measured_appetite(m.crew.alone(), m.facts, m.fit)
    assert appetite is not None and appetite.pixel_bytes > 50
    monkeypatch.setattr(sizing, "BUDGET_MIB", appetite.predicted_mib((560, 400)))
    notes: list[str] = []
    tiled = m.restore(x, Options(), notes=notes)
    assert tiled.tiling is not None and len(tiled.tiling) > 1
    assert notes[0].startswith(f"1120x1440 in {len(tiled.tiling)} tiles of ")
    assert np.abs(tiled.canvas.image8.astype(int) - whole.canvas.image8).max() <= 1
    with pytest.raises(CallError, match=r"the whole would take about \d+ MiB"):
        model("global").restore(x, Options())


@pytest.fixture(scope="module")
def bound(model: Callable[..., Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The local graph bound to 60x96."""
    m, path = model("local"), tmp_path_factory.mktemp("bound") / "bound.pb"
    row = save_fixed_pb(m.crew.alone(), m.facts, path, size=(60, 96))
    assert row.passed and (row.height, row.width) == (60, 96)
    return path


def test_a_bound_graph_keeps_its_names_and_picture(model: Callable[..., Model], bound: Path) -> None:
    m, x = model(bound), image(60, 96, 3)
    assert m.facts.fixed == (60, 96)
    assert (m.facts.input_name, m.facts.output_name) == ("input:0", "output:0")
    assert np.array_equal(m.picture(x), model("local").picture(x))


@pytest.mark.parametrize("size", [(60, 97), (131, 200), (60, 96 * 3)])
def test_a_bound_graph_takes_larger_images_in_tiles(
    model: Callable[..., Model], bound: Path, size: tuple[int, int]
) -> None:
    x = image(*size, 3)
    restored = model(bound).restore(x, Options())
    assert restored.tiling is not None and (restored.tiling.height, restored.tiling.width) == (60, 96)
    assert np.abs(restored.canvas.image8.astype(int) - model("local").picture(x)).max() <= 1


def test_a_bound_graph_takes_no_smaller_image(model: Callable[..., Model], bound: Path) -> None:
    with pytest.raises(ImageError, match="takes images of 60x96 only, and larger ones in tiles; found 59x96"):
        model(bound).restore(image(59, 96, 3), Options())


def test_a_bound_graph_is_bound_to_no_other_size(
    model: Callable[..., Model], bound: Path, tmp_path: Path
) -> None:
    m = model(bound)
    with pytest.raises(CallError, match="must take 64x96; found 60x96, to which it is fixed"):
        save_fixed_pb(m.crew.alone(), m.facts, tmp_path / "x.pb", size=(64, 96))
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_was_stopped_is_started_again(graphs: dict[str, Path]) -> None:
    x = image(20, 30, 3)
    with Engine(graphs["local"], "pb", threads=1) as engine:
        engine.load()
        before, first = engine.run(x), engine.worker.pid
        engine.worker.abort()
        with pytest.raises(WorkerStopped):
            engine.run(x)
        assert np.array_equal(engine.run(x), before)
        assert engine.worker.pid != first and engine.peak_mib() > 50


def test_a_crew_shares_the_images_and_steps_back_for_a_large_one(graphs: dict[str, Path]) -> None:
    images = [image(20, 30, 3, seed=number) for number in range(12)]
    with Crew(lambda threads: Engine(graphs["local"], "pb", threads=threads), threads=3, workers=2) as crew:
        crew.load()
        assert len(crew) == 2
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(crew.run, images))
        both = crew.peak_mib()
        engine = crew.alone()
        assert len(crew) == 1 and engine.threads == 3 and crew.alone() is engine
        assert crew.peak_mib() == both
        for x, y in zip(images, together, strict=True):
            assert np.allclose(crew.run(x), y, atol=1e-6)


def loaded(shape: tuple[int | None, ...] | None, dtype: str = "float32", inputs: int = 1) -> Loaded:
    """What a worker would tell."""
    tensors = tuple(TensorInfo(f"x{number}", dtype, shape) for number in range(inputs))
    interface = Interface(inputs=tensors, outputs=(TensorInfo("y", "float32", None),))
    return Loaded(interface, "x0" if inputs == 1 else None, "y" if inputs == 1 else None)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (
            loaded((1, None, None, 1)),
            r"3 channels \(RGB\) or 4 \(Bayer planes\); found an input of 1x\?x\?x1",
        ),
        (loaded((1, 3, None, None)), r"found an input of 1x3x\?x\?"),
        (loaded((None, 3)), r"must be \(batch, height, width, channels\)"),
        (loaded(None), r"must be \(batch, height, width, channels\)"),
        (loaded((1, 8, 8, 3), "uint8"), r"must be float32; found uint8"),
        (loaded((1, 8, 8, 3), inputs=2), r"one input and one output; found x0, x1, y\. Name them with"),
    ],
)
def test_models_for_other_data_are_refused(told: Loaded, message: str) -> None:
    with pytest.raises(ModelFailed, match=message):
        facts_of(told, "pb")


def test_the_integers_of_a_tflite_file_are_the_workers_to_bridge() -> None:
    assert facts_of(loaded((1, 64, 96, 4), "uint8"), "tflite").fixed == (64, 96)


def test_a_way_is_chosen_once_a_size(model: Callable[..., Model]) -> None:
    m = model("local")
    restorer = Restorer(m.crew, m.facts, m.fit, Options(tile=64), note=lambda text: None)
    first = restorer.way_for(image(100, 90, 3))
    assert isinstance(first, Way) and restorer.way_for(image(100, 90, 3, seed=5)) is first


@pytest.mark.official
def test_the_official_punet_is_tiled_within_a_level(shared_data: Path, tf: Any, tmp_path: Path) -> None:
    """Eight base maps, no normalisation: the deep levels reach 160 pixels and more."""
    from pixelproof.convert.conversion import convert
    from pixelproof.convert.plan import Request
    from pixelproof.convert.source import Ends
    from pixelproof.convert.workers import WarmWorkers

    checkpoint = shared_data / "mai2021_isp" / "punet_8.ckpt"
    request = Request("punet", checkpoint, tmp_path, ("pb",), None, Ends(output_name="output_l0"))
    with WarmWorkers() as workers:
        convert(request, workers=workers, note=lambda text: None)
    x = image(464, 720, 4, seed=11)
    with Crew(lambda threads: Engine(tmp_path / "model.pb", "pb"), threads=2, workers=1) as crew:
        facts = crew.load()
        m = Model(tmp_path / "model.pb", crew, facts, find_fit(crew.run, facts))
        whole, tiled = m.picture(x, tile=0), m.restore(x, Options(tile=448))
    assert tiled.tiling is not None and len(tiled.tiling) > 1 and tiled.tiling.overlap >= 144
    assert np.abs(tiled.canvas.image8.astype(int) - whole).max() <= 1
