"""The command line: light help, exit codes, summaries."""

from __future__ import annotations

import json
import subprocess
import sys
import typing
from collections.abc import Callable

import click
import pytest

from pixelproof import __version__, cli, errors
from pixelproof.cli import COMMANDS, load_command, run

HEAVY = (
    "numpy",
    "tensorflow",
    "rich",
    "keras",
    "scipy",
    "PIL",
    "onnx",
    "onnxruntime",
    "jinja2",
    "sqlalchemy",
)
CODES = {
    errors.CallError: 2,
    errors.InputError: 2,
    errors.RuleBroken: 1,
    errors.EnvironmentFault: 3,
    errors.PixelproofError: 3,
}


def all_errors(
    base: type[errors.PixelproofError] = errors.PixelproofError,
) -> list[type[errors.PixelproofError]]:
    """The whole tree."""
    return [base, *(found for sub in base.__subclasses__() for found in all_errors(sub))]


def made(cls: type[errors.PixelproofError]) -> errors.PixelproofError:
    """An error of a class."""
    if cls is errors.WorkerStopped:
        return errors.WorkerStopped("A rule", reason="crashed", found="this", remedy="Do that.")
    return cls("A rule", found="this", remedy="Do that.")


@pytest.fixture
def ran(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """``ran(function, *arguments)``: exit code, output and error output of a command with this body."""

    def go(body: Callable[[], object], *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["x", *arguments])
        with pytest.raises(SystemExit) as stop:
            run(click.command("x")(body), "x")
        printed = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, printed.out, printed.err

    return go


def raising(error: BaseException) -> Callable[[], object]:
    """A command that raises."""

    def body() -> object:
        raise error

    return body


@pytest.mark.parametrize("cls", all_errors(), ids=lambda cls: cls.__name__)
def test_each_error_has_its_exit_code(ran: typing.Any, cls: type[errors.PixelproofError]) -> None:
    expected = next(code for base, code in CODES.items() if issubclass(cls, base))
    code, out, err = ran(raising(made(cls)))
    assert (code, out, err) == (expected, "", "Error: A rule; found this. Do that.\n")


@pytest.mark.parametrize(("value", "code"), [(None, 0), (0, 0), (1, 1), (130, 130)])
def test_what_a_command_returns_is_the_exit_code(ran: typing.Any, value: int | None, code: int) -> None:
    assert ran(lambda: value)[0] == code


def test_a_wrong_option_exits_2(ran: typing.Any) -> None:
    code, _, err = ran(lambda: None, "--nope")
    assert code == 2 and "--nope" in err


def test_an_internal_error_exits_3_without_a_traceback(ran: typing.Any) -> None:
    code, out, err = ran(raising(ZeroDivisionError("by nought")))
    assert (code, out) == (3, "")
    assert "Internal error: ZeroDivisionError: by nought" in err and "--debug" in err
    assert "Traceback" not in err


def test_ctrl_c_exits_130(ran: typing.Any) -> None:
    code, _, err = ran(raising(KeyboardInterrupt()))
    assert code == 130 and "Stopped" in err


@pytest.mark.parametrize("error", [errors.CallError("A rule"), ZeroDivisionError()])
def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--debug"])
    with pytest.raises(type(error)):
        run(click.command("x")(raising(error)), "x")
    monkeypatch.setattr(sys, "argv", ["x"])
    monkeypatch.setenv("PIXELPROOF_DEBUG", "1")
    with pytest.raises(type(error)):
        run(click.command("x")(raising(error)), "x")


def test_a_misspelt_command_offers_the_nearest(call: typing.Any) -> None:
    done = call("convert-modle")
    assert done.code == 2 and "Did you mean convert-model?" in done.err


def test_help_lists_every_command(call: typing.Any) -> None:
    done = call("--help")
    assert done.code == 0
    for name, entry in COMMANDS.items():
        assert name in done.out and entry.summary.split()[0] in done.out


def test_version(call: typing.Any) -> None:
    assert __version__ in call("--version").out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_summary_and_loads(name: str) -> None:
    assert COMMANDS[name].summary.endswith((".", "?"))
    command = load_command(name)
    assert command.name == name
    assert command.get_short_help_str()
    assert command.help


def loaded_by(*arguments: str) -> tuple[int, list[str]]:
    """Exit code of pixelproof in a fresh process, and the heavy modules that it imported."""
    program = (
        "import json, sys\n"
        f"sys.argv = ['pixelproof', *{arguments!r}]\n"
        "from pixelproof.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    code = stop.code\n"
        f"print(json.dumps([code, [m for m in {HEAVY!r} if m in sys.modules]]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr.strip().splitlines()[-1])
    return code, modules


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_imports_nothing_heavy(name: str | None) -> None:
    assert loaded_by(*([name] if name else []), "--help") == (0, [])


@pytest.mark.parametrize("name", ["show", "new", "check"])
def test_help_of_subcommands_imports_nothing_heavy(name: str) -> None:
    assert loaded_by("challenges", name, "--help") == (0, [])


def test_installed_names_are_functions_of_the_cli() -> None:
    for name in ("convert-model", "ckpt2pb", "pb2tflite", "validate-pb", "package-submission"):
        assert name in COMMANDS
        assert callable(getattr(cli, name.replace("-", "_")))


def test_short_help_and_a_reader_that_goes_away() -> None:
    program = [sys.executable, "-c", "from pixelproof.cli import validate_pb; validate_pb()"]
    done = subprocess.run([*program, "-h"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--track" in done.stdout
    group_of = [
        sys.executable,
        "-c",
        "from pixelproof.cli import main; main()",
        "challenges",
        "show",
        "pirm2018",
    ]
    with subprocess.Popen(group_of, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 141
