"""Things that are handed in under a model's name and are no model: each writer makes one and returns its path."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

CONTROL = "\x1b[2J\x1b[1;32mPASSED\x1b[0m\r\u202e\x07"
SPARSE_BYTES = 3 * 2**30


def _pickled(path: Path) -> bytes:
    """A pickle that makes a file when it is loaded, by Python's own functions; written by hand, in protocol 0."""
    return b"cbuiltins\nexec\n(V__import__('pathlib').Path(%a).touch()\ntR." % str(path)


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def folder(box: Path, outside: Path) -> Path:
    """A folder that is called like a file."""
    path = box / "model.pb"
    path.mkdir()
    return path


def link_to_environment(box: Path, outside: Path) -> Path:
    """A link to the environment of whoever opens it."""
    path = box / "model.pb"
    path.symlink_to("/proc/self/environ")
    return path


def link_to_zeros(box: Path, outside: Path) -> Path:
    """A link to a device that never ends."""
    path = box / "model.pb"
    path.symlink_to("/dev/zero")
    return path


def link_to_itself(box: Path, outside: Path) -> Path:
    """A link that leads nowhere."""
    path = box / "model.pb"
    path.symlink_to(path)
    return path


def fifo(box: Path, outside: Path) -> Path:
    """A pipe into which nobody writes."""
    path = box / "model.pb"
    os.mkfifo(path)
    return path


def sparse(box: Path, outside: Path) -> Path:
    """3 GB that take no room on the disk."""
    path = box / "model.pb"
    with path.open("wb") as stream:
        stream.truncate(SPARSE_BYTES)
    return path


def pickle_as_graph(box: Path, outside: Path) -> Path:
    """A pickle that writes a file when it is loaded, called .pb."""
    return _file(box, "model.pb", _pickled(outside / "unpickled"))


def keras(box: Path, outside: Path) -> Path:
    """A Keras file: a zip of a configuration that may hold Python code."""
    return _file(box, "model.keras", b"PK\x03\x04" + bytes(60))


def hdf5(box: Path, outside: Path) -> Path:
    """A Keras file of the older kind."""
    return _file(box, "model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100))


def torch(box: Path, outside: Path) -> Path:
    """What torch.save writes: a pickle."""
    return _file(box, "model.pth", _pickled(outside / "unpickled"))


def bare_pickle(box: Path, outside: Path) -> Path:
    """A pickle under its own name."""
    return _file(box, "model.pkl", _pickled(outside / "unpickled"))


def object_array(box: Path, outside: Path) -> Path:
    """An array of objects: NumPy's header and a pickle."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    return _file(box, "model.npy", data + _pickled(outside / "unpickled"))


def zip_file(box: Path, outside: Path) -> Path:
    """An archive in place of a model."""
    return _file(box, "model.zip", b"PK\x05\x06" + bytes(18))


def text_graph(box: Path, outside: Path) -> Path:
    """A graph as text."""
    return _file(box, "model.pbtxt", b'node { name: "input" op: "Placeholder" }\n')


def speaking_name(box: Path, outside: Path) -> Path:
    """A file whose name speaks to the terminal."""
    return _file(box, f"model{CONTROL}\nPASSED.pb", b"no graph")


def undecodable_name(box: Path, outside: Path) -> Path:
    """A file whose name is no text."""
    return _file(box, os.fsdecode(b"model\xff\xfe.pb"), b"no graph")


Write = Callable[[Path, Path], Path]
BUILDERS: Mapping[str, Write] = {
    "folder": folder,
    "link_to_environment": link_to_environment,
    "link_to_zeros": link_to_zeros,
    "link_to_itself": link_to_itself,
    "fifo": fifo,
    "sparse": sparse,
    "pickle_as_graph": pickle_as_graph,
    "keras": keras,
    "hdf5": hdf5,
    "torch": torch,
    "bare_pickle": bare_pickle,
    "object_array": object_array,
    "zip_file": zip_file,
    "text_graph": text_graph,
    "speaking_name": speaking_name,
    "undecodable_name": undecodable_name,
}
"""Each takes the folder to write into, and one that a payload would write into."""
