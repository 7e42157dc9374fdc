"""The modules of pixelproof that an entry needs, found in their source: what a program takes along."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

ROOT = "pixelproof"


def closure(*entries: str) -> dict[str, Path]:
    """Every module of pixelproof that these import, at once or later, with their packages.

    What is imported for types alone is left out.

    Args:
        entries: dotted names of modules.

    Returns:
        Relative path with ``/``, such as ``pixelproof/images.py``, to the file; sorted.

    Raises:
        ModuleNotFoundError: an entry is no module.
    """
    found: dict[str, Path] = {}
    waiting, seen = list(entries), set(entries)
    while waiting:
        name = waiting.pop()
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name)
        is_package = spec.submodule_search_locations is not None
        path = Path(spec.origin)
        found[_file_name(name, is_package=is_package)] = path
        parents = (name.rpartition(".")[0],) if "." in name else ()
        for needed in (*parents, *_imported(path)):
            if needed not in seen:
                seen.add(needed)
                waiting.append(needed)
    return dict(sorted(found.items()))


def _file_name(name: str, *, is_package: bool) -> str:
    return f"{name.replace('.', '/')}{'/__init__' if is_package else ''}.py"


def _imported(path: Path) -> Iterator[str]:
    for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _is_ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module is not None and _is_ours(node.module):
            yield node.module
            for alias in node.names:
                if _is_module(f"{node.module}.{alias.name}"):
                    yield f"{node.module}.{alias.name}"


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING``."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _is_ours(name: str) -> bool:
    return name == ROOT or name.startswith(f"{ROOT}.")


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the part before the last dot is no package
        return False
