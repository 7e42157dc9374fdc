"""Free photographs for training: the table, packages, the command; starting near the identity; shipped weights."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelproof.cli import run
from pixelproof.errors import CallError, EnvironmentFault, InputError, RecipeError
from pixelproof.files import sha256_of
from pixelproof.images import bicubic_resize_8bit, read_rgb8
from pixelproof.models.training.photographs import bundle, collection, debian_package, sources, table
from pixelproof.models.training.run.recipe_file import load_recipe

COMMAND = "pixelproof.models.training.photographs.__main__"
FIGURES = "pixelproof.models.training.photographs.figures"
OWN = ("own-msrresnet-x4", "own-resnet_6_16-x4", "own-srcnn-x4", "own-srcnn_915-x3")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}
Typed = Callable[..., tuple[int, str, str]]


def picture(seed: int, height: int = 60, width: int = 90) -> np.ndarray:
    """Blocks of colour, some with steps inside."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(blocks.repeat(6, 0).repeat(6, 1)[:height, :width])


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    """An image file's content."""
    Image.fromarray(image).save(buffer := io.BytesIO(), format=kind)
    return buffer.getvalue()


def tar_of(files: dict[str, bytes], *links: tarfile.TarInfo) -> bytes:
    """A tar archive."""
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w") as archive:
        for link in links:
            archive.addfile(link)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def deb_of(path: Path, data: bytes, suffix: str = ".xz") -> Path:
    """A Debian package around a packed tar archive."""
    parts = {"debian-binary": b"2.0\n", "control.tar.gz": b"odd", f"data.tar{suffix}": data}
    content = b"!<arch>\n"
    for name, part in parts.items():
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(part):<10}`\n"
        content += head.encode() + part + b"\n" * (len(part) % 2)
    path.write_bytes(content)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """A link in an archive."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """``typed(module, *arguments)``: a module's command as typed; code, output, errors."""

    def call(module: str, *arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            run(import_module(module).main, "command")
        printed = capsys.readouterr()
        return int(str(stop.value.code)), printed.out, printed.err

    return call


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one package of three pictures, which are the whole table, beside one of scikit-image's."""
    files = {
        "usr/share/a/one.png": encoded(picture(1)),
        "usr/share/a/two@2x.png": encoded(picture(2, 200, 400)),
        "usr/share/a/grey.png": encoded(picture(3)[..., 0]),
    }
    skimage = tmp_path / "skimage"
    skimage.mkdir()
    (skimage / "cat.png").write_bytes(encoded(picture(4)))
    digests = {Path(name).name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    toml = f'''
        [[groups]]
        package = "free-pictures"
        version = "1:2-3"
        folder = "usr/share/a"
        author = "Ada"
        licence = "CC-BY-SA-4.0"
        [groups.train]
        "one.png" = "{digests["one.png"]}"
        "two@2x.png" = "{digests["two@2x.png"]}"
        [groups.held_out]
        "grey.png" = "{digests["grey.png"]}"
        [[groups]]
        package = "skimage"
        author = "Bea"
        licence = "CC0-1.0"
        [groups.train]
        "cat.png" = "{sha256_of(skimage / "cat.png")}"
    '''
    rows = table.parse_table(toml)
    monkeypatch.setattr(import_module(COMMAND), "photographs", lambda: rows)
    folder = tmp_path / "debs"
    folder.mkdir()
    prefixed = {f"./{name}": data for name, data in files.items()}
    deb_of(folder / "free-pictures_1%3a2-3_all.deb", lzma.compress(tar_of(prefixed)))
    return folder


# the table


def test_the_table_names_free_photographs_once() -> None:
    rows = table.photographs()
    roles = [row.role for row in rows]
    assert roles.count("train") >= 60 and roles.count("validation") >= 4
    assert {row.licence for row in rows} <= {
        *("CC0-1.0", "public domain"),
        *("CC-BY-2.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"),
    }
    assert all(row.author and len(row.sha256) == 64 for row in rows)
    assert all(row.version or row.package == table.SKIMAGE for row in rows)
    assert len({row.png for row in rows}) == len(rows)


def test_scikit_images_pictures_are_those_of_the_table() -> None:
    folder = sources.skimage_folder()
    if folder is None:
        pytest.skip("scikit-image isn't installed")
    rows = [row for row in table.photographs() if row.package == table.SKIMAGE]
    assert len(rows) >= 6
    assert [sha256_of(folder / row.member) for row in rows] == [row.sha256 for row in rows]


def test_a_table_with_one_photograph_twice_is_refused() -> None:
    group = '[[groups]]\npackage = "p"\nauthor = "a"\nlicence = "l"\n'
    with pytest.raises(RecipeError, match="every photograph once"):
        table.parse_table(f'{group}train = {{ "a.png" = "00", "a.jpg" = "11" }}')
    with pytest.raises(RecipeError, match="licence is required"):
        table.parse_table('[[groups]]\npackage = "p"\nauthor = "a"\n')


# packages


@pytest.mark.parametrize("suffix", PACKERS)
def test_files_come_out_of_every_kind_of_package(tmp_path: Path, suffix: str) -> None:
    data = PACKERS[suffix](tar_of({"./a/b.png": b"content", "c": b"other", "./odd": b"x"}))
    deb = deb_of(tmp_path / "p.deb", data, suffix)
    assert debian_package.read_members(deb, {"a/b.png", "c", "missing"}) == {
        "a/b.png": b"content",
        "c": b"other",
    }


def test_a_package_packed_by_zstd_goes_through_dpkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (shutil.which("zstd") and shutil.which("dpkg-deb")):
        pytest.skip("needs zstd and dpkg-deb")
    data = subprocess.run(["zstd", "-c"], input=tar_of({"./a": b"1"}), capture_output=True, check=True).stdout
    deb = deb_of(tmp_path / "p.deb", data, ".zst")
    assert debian_package.read_members(deb, {"a"}) == {"a": b"1"}
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="needs dpkg-deb"):
        debian_package.read_members(deb, {"a"})


def test_links_and_odd_names_lead_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    links = [link("wanted", str(secret)), link("hard", str(secret), tarfile.LNKTYPE)]
    files = {"../escape": b"1", "/absolute": b"2", "fine": b"3"}
    deb = deb_of(tmp_path / "p.deb", lzma.compress(tar_of(files, *links)))
    before = sorted(tmp_path.rglob("*"))
    assert debian_package.read_members(deb, {"wanted", "hard", "escape", "fine"}) == {"fine": b"3"}
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = deb_of(
        tmp_path / "p.deb", lzma.compress(tar_of({"a": np.random.default_rng(0).bytes(20000)}))
    ).read_bytes()
    broken = {
        "empty": b"",
        "text": b"no package at all" * 9,
        "headless": b"!<arch>\n",
        "no data": whole[:140],
        "cut off": whole[:-9000],
        "no number": whole.replace(b"100644  ", b"100644  x", 1),
        "another packing": whole.replace(b"data.tar.xz", b"data.tar.7z"),
    }
    for number, data in enumerate(broken.values()):
        (path := tmp_path / f"{number}.deb").write_bytes(data)
        with pytest.raises(InputError, match=f"whole Debian package; found .*{number}.deb"):
            debian_package.read_members(path, {"a"})
    monkeypatch.setattr(debian_package, "_TOTAL_BYTES", 10000)
    with pytest.raises(InputError, match="more than"):
        debian_package.read_members(tmp_path / "p.deb", {"a"})
    monkeypatch.undo()
    monkeypatch.setattr(debian_package, "_MEMBER_BYTES", 10000)
    with pytest.raises(InputError, match="a of 20000 bytes"):
        debian_package.read_members(tmp_path / "p.deb", {"a"})


def test_the_version_of_the_table_is_preferred(tmp_path: Path) -> None:
    for name in ("free_1_all.deb", "free_2_all.deb", "free-more_2_all.deb", "free_1%3a2_all.deb"):
        (tmp_path / name).touch()
    assert sources.find_package("free", "1", places=[tmp_path]) == tmp_path / "free_1_all.deb"
    assert sources.find_package("free", "1:2", places=[tmp_path]) == tmp_path / "free_1%3a2_all.deb"
    assert sources.find_package("free", "7", places=[tmp_path]) == tmp_path / "free_2_all.deb"
    assert sources.find_package("none", "7", places=[tmp_path]) is None


# the command


def test_the_command_writes_checked_photographs(typed: Typed, packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos"
    code, said, told = typed(
        COMMAND, "--out", out, "--debs", packed, "--skimage", tmp_path / "skimage", "--max-side", "100"
    )
    assert code == 0, told
    assert "3 to learn from, 1 to measure on" in said
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert names == [
        "LICENCES.txt", "photographs.json", "train/cat.png", "train/one.png", "train/two.png", "validation/grey.png",
    ]  # fmt: skip
    np.testing.assert_array_equal(read_rgb8(out / "train/one.png"), picture(1))
    np.testing.assert_array_equal(read_rgb8(out / "validation/grey.png"), picture(3)[..., :1].repeat(3, -1))
    expected = Image.fromarray(picture(2, 200, 400)).resize((100, 50), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(read_rgb8(out / "train/two.png"), np.asarray(expected))
    licences = (out / "LICENCES.txt").read_text()
    assert "train/one.png: Ada, CC-BY-SA-4.0; free-pictures 1:2-3" in licences
    record = collection.read_record(out)
    assert [entry["file"] for entry in record["photographs"]][:2] == ["train/one.png", "train/two.png"]
    assert record["photographs"][1]["width"] == 100 and record["left_out"] == []
    assert (
        typed(COMMAND, "--out", out, "--debs", packed, "--skimage", tmp_path / "skimage")[0] == 0
    )  # replaced
    assert read_rgb8(out / "train/two.png").shape == (200, 400, 3)


def test_another_picture_than_the_tables_is_refused(typed: Typed, packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos"
    (tmp_path / "skimage" / "cat.png").write_bytes(encoded(picture(5)))
    options = ("--out", out, "--debs", packed, "--skimage", tmp_path / "skimage")
    code, _, told = typed(COMMAND, *options)
    assert code == 2 and "cat.png of skimage must be the picture whose licence was read" in told
    assert not out.exists()
    code, said, _ = typed(COMMAND, *options, "--allow-missing")
    assert code == 0 and "2 to learn from" in said and "left out: cat.png" in said
    assert collection.read_record(out)["left_out"][0]["member"] == "cat.png"
    deb_of(packed / "free-pictures_1%3a2-3_all.deb", lzma.compress(tar_of({"./usr/x": b""})))
    code, _, told = typed(COMMAND, *options)
    assert code == 2 and "no one.png in free-pictures of another version than 1:2-3" in told


def test_without_apt_the_command_says_how_to_give_packages(
    typed: Typed, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    options = ("--out", tmp_path / "photos", "--skimage", tmp_path / "skimage")
    code, _, told = typed(COMMAND, *options)
    assert code == 3 and "apt-get" in told and "free-pictures_1%3a2-3_all.deb" in told and "--debs" in told
    (apt := tools / "apt-get").write_text('#!/bin/sh\necho "E: Unable to locate package $3" >&2\nexit 100\n')
    apt.chmod(0o755)
    code, _, told = typed(COMMAND, *options)
    assert code == 3 and "E: Unable to locate package free-pictures" in told and "apt-get update" in told
    apt.write_text(f"#!/bin/sh\n{shutil.which('cp', path='/bin:/usr/bin')} {packed}/$3_*.deb .\n")
    cache = tmp_path / "cache"
    assert typed(COMMAND, *options, "--cache", cache)[0] == 0
    apt.unlink()
    assert [path.name for path in cache.iterdir()] == ["free-pictures_1%3a2-3_all.deb"]
    assert typed(COMMAND, *options, "--cache", cache)[0] == 0


def test_other_peoples_folders_are_not_replaced(typed: Typed, packed: Path, tmp_path: Path) -> None:
    (out := tmp_path / "mine").mkdir()
    (out / "diary.txt").write_text("dear diary")
    code, _, told = typed(COMMAND, "--out", out, "--debs", packed)
    assert code == 2 and "--out must be a new folder" in told
    assert (out / "diary.txt").read_text() == "dear diary"
    code, _, told = typed(COMMAND, "--out", tmp_path / "new", "--debs", tmp_path / "nowhere")
    assert code == 2 and "nothing at" in told
    code, _, told = typed(COMMAND, "--out", tmp_path / "new", "--debs", out / "diary.txt")
    assert code == 2 and "another file at" in told
    with pytest.raises(InputError, match="record of photographs"):
        collection.read_record(out)


# recipes and their start


@pytest.mark.parametrize("name", OWN)
def test_our_recipes_learn_from_such_a_folder(name: str, tmp_path: Path) -> None:
    from pixelproof.models.registry import spec
    from pixelproof.models.training.data.kinds import kind_of
    from pixelproof.models.training.data.training_data import Setting

    recipe = load_recipe(name)
    assert recipe.id == name and recipe.start == "near-identity"
    Image.fromarray(picture(1, 240, 250)).save(tmp_path / "a.png")
    kind = kind_of(recipe.data.kind)
    contract = spec(recipe.model).contract
    data = kind.open(
        kind.options(
            **{key: tuple(v) if isinstance(v, list) else v for key, v in recipe.data.options.items()}
        ),
        Setting(tmp_path, tmp_path, recipe.scale, contract, recipe.seed),
    )
    sample = data.sample(0)
    crop = recipe.data.options["crop"]
    assert sample.target.shape == (crop, crop, 3)
    assert sample.input.shape[0] * contract.scale == crop


@pytest.mark.parametrize("name", ["srcnn", "srcnn_915", "resnet_6_16", "resnet_8_32", "vgg_19"])
def test_a_started_network_gives_back_its_input(tf: Any, name: str) -> None:
    import keras

    from pixelproof.models.registry import create
    from pixelproof.models.training.start import near_identity

    keras.utils.set_random_seed(3)
    model = create(name)
    random = model.get_weights()
    near_identity(model)
    rng = np.random.default_rng(0)
    noise = rng.random((2, 40, 56, 3), dtype=np.float32)
    smooth = np.asarray(keras.ops.image.resize(noise[:, :6, :6], (40, 56), interpolation="bilinear"))
    extremes = np.concatenate([np.zeros((1, 40, 28, 3)), np.ones((1, 40, 28, 3))], axis=2).astype(np.float32)
    for images in (noise, smooth, extremes):
        apart = np.abs(np.asarray(model(images)) - images)[:, 8:-8, 8:-8] * 255
        assert apart.mean() < 2.0 and np.quantile(apart, 0.99) < 2.5
    before = np.abs(noise - np.asarray(model.__class__.from_config(model.get_config())(noise)))
    assert name == "vgg_19" or before.mean() * 255 > 10
    assert any(np.abs(a - b).max() > 0 for a, b in zip(random, model.get_weights(), strict=True))


def test_all_layers_of_a_started_network_learn(tf: Any) -> None:
    from pixelproof.models.registry import create
    from pixelproof.models.training.start import near_identity

    near_identity(model := create("resnet_6_16"))
    model.compile(optimizer="adam", loss="mse")
    before = model.get_weights()
    image = picture(1, 48, 48)[None].astype(np.float32) / 255
    for _ in range(3):
        model.train_on_batch(image, image[:, ::-1])
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))


def test_an_enlarging_network_begins_with_its_enlargement(tf: Any) -> None:
    from pixelproof.models.registry import create
    from pixelproof.models.training.start import near_identity

    near_identity(model := create("msrresnet", features=16, blocks=2))
    flat = np.full((1, 8, 8, 3), 0.3, np.float32)
    assert np.abs(np.asarray(model(flat)) - 0.3).max() * 255 < 1


@pytest.mark.parametrize("name", ["punet", "imdn", "bsrn"])
def test_networks_that_cannot_start_so_are_refused_unchanged(tf: Any, name: str) -> None:
    from pixelproof.models.registry import create
    from pixelproof.models.training.start import near_identity

    before = (model := create(name)).get_weights()
    with pytest.raises(CallError, match="can start near the identity"):
        near_identity(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


# figures and the manifest


@pytest.fixture
def shipped(tf: Any, tmp_path: Path) -> tuple[Path, Path]:
    """Weights of srcnn near the identity, and a picture."""
    from pixelproof.models.registry import create
    from pixelproof.models.training.start import near_identity

    near_identity(model := create("srcnn"))
    model.save_weights(weights := tmp_path / "w.weights.h5")
    Image.fromarray(picture(7, 100, 120)).save(image := tmp_path / "a.png")
    return weights, image


def test_figures_are_psnr_beside_bicubics(typed: Typed, shipped: tuple[Path, Path], tmp_path: Path) -> None:
    weights, image = shipped
    original = read_rgb8(image)
    bicubic = bicubic_resize_8bit(bicubic_resize_8bit(original, 25, 30), 100, 120)
    error = (bicubic.astype(float) - original)[16:-16, 16:-16]
    wanted = 10 * np.log10(255**2 / np.mean(error**2))
    options = ("--recipe", "own-srcnn-x4", "--images", image, "--official", weights)
    code, said, told = typed(FIGURES, weights, *options, "--json", tmp_path / "f.json")
    assert code == 0, told
    figures = json.loads((tmp_path / "f.json").read_text())
    assert abs(figures["bicubic_psnr_db"] - wanted) < 1e-4
    assert abs(figures["psnr_db"] - wanted) < 0.1 and figures["psnr_db"] == figures["official_psnr_db"]
    assert set(figures["images"]) == {"a.png"} and "psnr_y_db" not in figures
    assert "PIRM 2018 track A" in said and f"{figures['psnr_db']:.3f}" in said


def test_weights_are_shipped_with_their_manifest(
    typed: Typed, shipped: tuple[Path, Path], packed: Path, tmp_path: Path
) -> None:
    weights, image = shipped
    photos, out = tmp_path / "photos", tmp_path / "pretrained"
    assert typed(COMMAND, "--out", photos, "--debs", packed, "--skimage", tmp_path / "skimage")[0] == 0
    out.mkdir()
    (out / "manifest.json").write_text('{"schema_version": 1, "files": {"other.h5": {"model": "x"}}}')
    options = (weights, "--recipe", "own-srcnn-x4", "--images", image, "--photographs", photos, "--out", out)
    code, _, told = typed(FIGURES, *options)
    assert code == 0, told
    files = json.loads((out / "manifest.json").read_text())["files"]
    assert files["other.h5"] == {"model": "x"}
    entry = files["own-srcnn-x4.weights.h5"]
    assert entry["sha256"] == sha256_of(out / "own-srcnn-x4.weights.h5")
    assert entry["licence"] == "CC-BY-SA-4.0" and entry["model"] == "srcnn"
    assert entry["recipe"]["seed"] == 2018 and "train" not in entry["recipe"]["data"]
    assert entry["photographs_sha256"]["train/cat.png"] == sha256_of(tmp_path / "skimage" / "cat.png")
    (out / "manifest.json").write_text("[]")
    code, _, told = typed(FIGURES, *options)
    assert code == 2 and "manifest of weights" in told


def test_wrong_calls_for_figures_are_named(typed: Typed, shipped: tuple[Path, Path], tmp_path: Path) -> None:
    weights, image = shipped
    (empty := tmp_path / "empty").mkdir()
    for arguments, said in (
        ((tmp_path / "none", "--images", image), "weights must be there"),
        ((weights, "--images", image), "checkpoint"),
        ((weights, "--recipe", "own-srcnn-x4", "--images", empty), "must hold pictures"),
        ((weights, "--recipe", "own-srcnn_915-x3", "--images", image), "srcnn_915"),
    ):
        code, _, told = typed(FIGURES, *arguments)
        assert code == 2 and said in told, told


def test_weights_keep_share_alike_only_where_they_learnt_from_it() -> None:
    def record(*pairs: tuple[str, str]) -> dict[str, Any]:
        return {"photographs": [{"file": file, "licence": licence} for file, licence in pairs]}

    assert bundle.licence_of(record(("train/a", "CC-BY-SA-3.0"), ("train/b", "CC0-1.0"))) == "CC-BY-SA-4.0"
    assert bundle.licence_of(record(("train/a", "CC-BY-4.0"), ("validation/b", "CC-BY-SA-3.0"))) == "CC0-1.0"
