"""The shape of the code: who imports whom, what is packaged, how long a file may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ("core", "measure", "models", "tflite", "convert", "validate", "submit")
ALLOWED = {
    "core": (),
    "measure": (),
    "models": ("pixelproof.measure.metrics",),
    "tflite": ("pixelproof.measure",),
    "convert": ("pixelproof.measure", "pixelproof.models", "pixelproof.tflite"),
    "validate": ("pixelproof.measure",),
    "submit": ("pixelproof.measure", "pixelproof.validate"),
}
TENSORFLOW = {"tensorflow", "keras", "tf2onnx"}
FILES = sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py"))


def below(name: str, prefix: str) -> bool:
    """Whether a dotted name is a package or something inside it."""
    return name == prefix or name.startswith(prefix + ".")


def imported(tree: ast.AST) -> Iterator[str]:
    """Absolute names that a file imports, wherever it does so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func)
            if called.endswith(("import_module", "__import__")):
                yield str(node.args[0].value)


def names_in(path: Path) -> list[str]:
    """Absolute names that a file imports."""
    return list(imported(ast.parse(path.read_text(encoding="utf-8"))))


def breaches(folder: str, names: list[str]) -> list[str]:
    """Names that a folder may not import."""
    siblings = [f"pixelproof.{other}" for other in CODE if other not in ("core", folder)]
    return [
        name
        for name in names
        if any(below(name, sibling) for sibling in siblings)
        and not any(below(name, allowed) for allowed in ALLOWED[folder])
    ]


def ids(path: Path) -> str:
    """A file's name in the checkout."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_go_one_way(path: Path) -> None:
    assert breaches(path.relative_to(ROOT).parts[0], names_in(path)) == []


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_no_relative_imports_and_no_folder_names(path: Path) -> None:
    names = names_in(path)
    assert [name for name in names if name.startswith(".")] == []
    assert [name for name in names if name.split(".")[0] in CODE] == []


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_files_stay_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_only_converting_folders_start_tensorflow() -> None:
    callers = {p.relative_to(ROOT).parts[0] for p in FILES if "pixelproof.quiet" in names_in(p)}
    assert callers <= {"convert", "tflite", "models"}


def test_the_parents_side_knows_no_tensorflow() -> None:
    files = [p for p in FILES if p.relative_to(ROOT).parts[0] in ("core", "validate", "submit")]
    files.remove(ROOT / "core" / "quiet.py")  # called by converting commands only, as the next test holds
    found = {ids(p): [n for n in names_in(p) if n.split(".")[0] in TENSORFLOW] for p in files}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("folder", "source", "wrong"),
    [
        ("core", "def f():\n    from pixelproof import measure", ["pixelproof.measure"]),
        ("core", "import pixelproof.validate.checks as c", ["pixelproof.validate.checks"]),
        ("models", "from pixelproof.measure import worker, metrics", ["pixelproof.measure.worker"]),
        ("models", "from pixelproof.measure.metrics import psnr_db", []),
        ("measure", "importlib.import_module('pixelproof.models')", ["pixelproof.models"]),
        ("validate", "from pixelproof import convert, measure, errors", ["pixelproof.convert"]),
        ("submit", "import pixelproof.validate, pixelproof.tflite", ["pixelproof.tflite"]),
    ],
)
def test_the_rule_itself_finds_breaches(folder: str, source: str, wrong: list[str]) -> None:
    assert breaches(folder, list(imported(ast.parse(source)))) == wrong


def packages() -> dict[str, str]:
    """PACKAGES of setup.py, read without running it."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PACKAGES":
            return dict(ast.literal_eval(node.value))
    raise AssertionError("setup.py has no PACKAGES")


def test_setup_lists_exactly_the_package_folders() -> None:
    folders = {
        path.parent.relative_to(ROOT).as_posix()
        for folder in CODE
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert set(packages().values()) == folders


def test_names_follow_the_folders() -> None:
    for name, folder in packages().items():
        inside = folder.removeprefix("core").strip("/").replace("/", ".")
        assert name == ".".join(part for part in ("pixelproof", inside) if part)


def test_every_python_file_lies_in_a_package() -> None:
    assert {ids(path) for path in FILES if not (path.parent / "__init__.py").exists()} == set()


def test_no_folder_shadows_the_package() -> None:
    assert not (ROOT / "pixelproof").exists()


def test_no_two_modules_of_one_name_and_folder() -> None:
    for folder in CODE:
        for package in {path.parent for path in (ROOT / folder).rglob("*.py")}:
            stems = [path.stem for path in package.glob("*.py")]
            subfolders = [path.name for path in package.iterdir() if (path / "__init__.py").exists()]
            assert set(stems) & set(subfolders) == set()
