"""The doctor, and the environment facts that reports carry."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pixelproof import __version__, environment, installation
from pixelproof.doctor import diagnose
from pixelproof.installation import Requirement, check_part, requirements
from pixelproof.report import Environment
from pixelproof.schema import build

POSIX = pytest.mark.skipif(os.name != "posix", reason="uses a shell script")


def pretend_missing(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let these distributions look uninstalled."""
    real = installation.installed_version
    monkeypatch.setattr(installation, "installed_version", lambda name: None if name in names else real(name))


def test_environment_holds_what_figures_depend_on() -> None:
    here = environment.environment()
    assert here.pixelproof == __version__
    assert here.python == ".".join(map(str, sys.version_info[:3]))
    assert here.libraries == {name: importlib.metadata.version(name) for name in environment.LIBRARIES}
    assert 1 <= here.cores <= (os.cpu_count() or 1)
    assert here.memory_mib > 256
    assert here.cpu and here.platform
    assert here.worker == {}


def test_libraries_that_are_not_installed_are_left_out() -> None:
    assert list(environment.installed_versions(["numpy", "no-such-distribution"])) == ["numpy"]


def test_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from pixelproof.doctor import diagnose; diagnose()\n"
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'scipy', 'PIL', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs core affinity")
def test_cores_are_those_that_may_be_used() -> None:
    one = min(os.sched_getaffinity(0))
    program = (
        f"import os; os.sched_setaffinity(0, [{one}])\n"
        "from pixelproof.environment import usable_cores; print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_containers_memory_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, limit in (("1073741824\n", 1024.0), ("max\n", None)):
        (tmp_path / "memory.max").write_text(text)
        monkeypatch.setattr(environment, "_CGROUP_LIMITS", (str(tmp_path / "memory.max"),))
        found = environment.memory_mib()
        assert found == limit if limit else found > 1024


@POSIX
def test_gpus_are_those_that_nvidia_smi_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.gpus() == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA X, 80 GiB, 570.1'\necho 'NVIDIA Y, 24 GiB, 570.1'\n")
    tool.chmod(0o755)
    assert environment.gpus() == ("NVIDIA X, 80 GiB, 570.1", "NVIDIA Y, 24 GiB, 570.1")
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert environment.gpus() == ("nvidia-smi is installed and lists none",)


@pytest.mark.parametrize(
    ("system", "says"),
    [("win32", "peak_wset"), ("darwin", "sampled"), ("linux", "VmHWM")],
)
def test_how_peak_memory_is_measured_is_said(system: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if system == "linux" and "VmHWM" not in environment._text(Path("/proc/self/status")):
        pytest.skip("this system keeps no VmHWM")
    monkeypatch.setattr(sys, "platform", system)
    assert says in environment.peak_memory_method()


def test_requirements_are_read_as_metadata_writes_them() -> None:
    lines = [
        "numpy>=2.0",
        "ai-edge-litert",
        'mypy<3,>=1.15; extra == "dev"',
        "dask[distributed]>=2024 ; extra == 'x'",
    ]
    assert requirements(lines) == (
        Requirement("numpy", "2.0", ""),
        Requirement("ai-edge-litert", "", ""),
        Requirement("mypy", "1.15", "dev"),
        Requirement("dask", "2024", "x"),
    )


def test_a_part_that_is_too_old_is_a_problem() -> None:
    have = importlib.metadata.version("numpy")
    assert check_part(Requirement("numpy", "2.0", "")).problem == ""
    assert check_part(Requirement("numpy", have, "")).problem == ""
    assert check_part(Requirement("numpy", "999.1", "")).problem == "older than 999.1"
    assert check_part(Requirement("no-such-distribution", "", "")).problem == "missing"


def test_every_run_time_dependency_is_looked_at() -> None:
    wanted = importlib.metadata.requires("pixelproof") or []
    names = {line.split(">=")[0] for line in wanted if "extra" not in line}
    found = diagnose()
    assert {part.name for part in found.parts} == names
    assert {"tensorflow", "rich", "psutil"} <= names
    assert found.problems == ()


def test_the_command_prints_what_it_found(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIXELPROOF_DATA", raising=False)
    done = call("doctor")
    assert done.code == 0, done.err
    versions = [importlib.metadata.version(name) for name in ("tensorflow", "onnxruntime")]
    for word in (__version__, *versions, "bundled samples", "peak memory", "validate-pb", "GiB free"):
        assert word in done.out
    assert "Everything that pixelproof needs is here." in done.out


def test_walls_that_can_not_be_tried_are_not_known(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_output", lambda *command: "Traceback ...")
    assert environment.sandbox_layers() == ()
    assert "not known: a worker can't start" in call("doctor").out


def test_json_is_one_document_on_standard_output(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ai-challenge").mkdir()
    monkeypatch.setenv("PIXELPROOF_DATA", str(tmp_path))
    done = call("doctor", "--json", "-")
    document = json.loads(done.out)
    assert done.code == 0 and "Required parts" in done.err
    assert build(Environment, document["environment"], fail=AssertionError) == environment.environment()
    pirm = next(d for d in document["data"] if d["challenge"] == "pirm2018")
    assert (pirm["origin"], pirm["path"]) == ("environment", str(tmp_path / "ai-challenge"))
    walls = {layer["name"]: layer["active"] for layer in document["sandbox"]}
    assert walls["process"] and walls["clock"] and "landlock" in walls
    assert {s["name"] for s in document["scripts"]} >= {"pixelproof", "convert-model", "validate-pb"}


def test_data_that_is_named_but_missing_is_said(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIXELPROOF_DATA", str(tmp_path))
    target = tmp_path / "doctor.json"
    done = call("doctor", "--json", str(target))
    pirm = next(d for d in json.loads(target.read_text())["data"] if d["challenge"] == "pirm2018")
    assert pirm["origin"] == "none" and "PIXELPROOF_DATA must hold ai-challenge" in pirm["problem"]
    assert done.code == 0
    assert "pixelproof fetch pirm2018" in done.out


@pytest.mark.parametrize("name", ["onnx", "rich"])
def test_a_missing_part_is_named_with_exit_3(call: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend_missing(monkeypatch, name)
    done = call("doctor")
    assert done.code == 3
    assert f"must be complete; found {name} is missing" in done.err
    assert "pip install" in done.err


def test_a_missing_part_stands_in_the_json(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_missing(monkeypatch, "onnx")
    done = call("doctor", "--json", "-")
    assert done.code == 3
    document = json.loads(done.out)
    assert document["problems"] == ["onnx is missing"]
    assert next(p for p in document["parts"] if p["name"] == "onnx")["version"] is None


def test_an_extra_that_lacks_something_says_how_to_get_it(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_missing(monkeypatch, "hypothesis")
    done = call("doctor")
    assert done.code == 0
    assert "lacks hypothesis" in done.out and "pip install 'pixelproof[dev]'" in done.out


def test_commands_off_the_path_are_said(call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    document = json.loads(call("doctor", "--json", "-").out)
    assert {script["path"] for script in document["scripts"]} == {None}
    assert "to PATH" in call("doctor").out
