"""The command line: a group that imports a command only when it is called, so that ``--help`` stays quick."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

import click

from pixelproof import __version__
from pixelproof.errors import PixelproofError, did_you_mean
from pixelproof.printable import printable


@dataclass(frozen=True)
class _Entry:
    target: str
    summary: str


COMMANDS = {
    "convert-model": _Entry(
        "pixelproof.convert.commands:convert_model",
        "Checkpoint to .pb, SavedModel, TFLite and ONNX, each proven.",
    ),
    "ckpt2pb": _Entry(
        "pixelproof.convert.ckpt2pb_command:ckpt2pb", "Freeze a TF1 checkpoint that has a .meta."
    ),
    "pb2tflite": _Entry("pixelproof.tflite.commands:pb2tflite", "Frozen graph to TFLite, also quantised."),
    "inspect": _Entry(
        "pixelproof.tflite.inspection.commands:inspect_tflite",
        "Operations, cost and delegate rules of a TFLite file.",
    ),
    "convert-onnx": _Entry(
        "pixelproof.convert.from_onnx.commands:convert_onnx", "A stranger's .onnx to .pb and TFLite, proven."
    ),
    "optimize": _Entry(
        "pixelproof.convert.optimize.commands:optimize", "A faster .pb that computes the same picture."
    ),
    "restore-images": _Entry(
        "pixelproof.convert.restore.commands:restore_images", "A folder of RAW or RGB images through a model."
    ),
    "compare": _Entry("pixelproof.measure.commands:compare", "Do two artifacts compute the same picture?"),
    "complexity": _Entry(
        "pixelproof.measure.cost.commands:complexity",
        "Parameters, FLOPs, activations and convolutions of a model.",
    ),
    "scan": _Entry("pixelproof.measure.scan_command:scan", "What a model file holds, without loading it."),
    "validate-pb": _Entry(
        "pixelproof.validate.commands:validate_pb", "Judge an artifact by a challenge's rules."
    ),
    "validate-images": _Entry(
        "pixelproof.validate.image_results.commands:validate_images",
        "Judge a folder or zip of result pictures.",
    ),
    "report": _Entry("pixelproof.validate.page.commands:report", "A report as one HTML page."),
    "rank-reports": _Entry(
        "pixelproof.validate.rank_command:rank_reports", "Rank judged models among each other."
    ),
    "package-submission": _Entry(
        "pixelproof.submit.commands:package_submission", "Pack a judged model as the challenge wants it."
    ),
    "unpack-submission": _Entry(
        "pixelproof.submit.unpack_command:unpack_submission", "Unpack a stranger's submission, safely."
    ),
    "judge-submissions": _Entry(
        "pixelproof.submit.judging.commands:judge_submissions", "Judge many submissions into a ledger."
    ),
    "leaderboard": _Entry(
        "pixelproof.submit.board.commands:leaderboard",
        "The ledger as a leaderboard: HTML, JSON, CSV, Markdown.",
    ),
    "codabench-bundle": _Entry(
        "pixelproof.submit.scoring.commands:codabench_bundle",
        "A challenge as a scoring program for Codabench.",
    ),
    "evalai-bundle": _Entry(
        "pixelproof.submit.scoring.commands:evalai_bundle", "A challenge as an evaluation script for EvalAI."
    ),
    "models": _Entry("pixelproof.models.commands:models_command", "List the architectures."),
    "degrade-images": _Entry(
        "pixelproof.models.training.degrade_command:degrade_images",
        "Pairs of a picture and a degraded one, for validation or training.",
    ),
    "train-model": _Entry(
        "pixelproof.models.training.run.commands:train_model",
        "Train a model by a recipe, resume it, look into a run.",
    ),
    "super-resolve": _Entry(
        "pixelproof.models.training.super_resolve_command:super_resolve",
        "One picture through a trained model, beside bicubic.",
    ),
    "package-course": _Entry(
        "pixelproof.submit.course.commands:package_course",
        "Pack what a course challenge wants handed in.",
    ),
    "challenges": _Entry(
        "pixelproof.challenges_command:challenges", "Show, scaffold and check challenge rules."
    ),
    "fetch": _Entry("pixelproof.fetch_command:fetch", "Bring a challenge's official data and weights."),
    "doctor": _Entry("pixelproof.doctor:doctor", "What this machine and installation can do."),
}


class LazyGroup(click.Group):
    """Commands named as strings; the one that is called is imported, the others are not."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest name in the error."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.UsageError(
                f"There is no command {args[0]!r}. {did_you_mean(args[0], list(COMMANDS))}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and summaries, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def load_command(name: str) -> click.Command:
    """Import one command."""
    module, attribute = COMMANDS[name].target.split(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pixelproof")
def group() -> None:
    """From an image-restoration checkpoint to a submission that a challenge accepts.

    The way: convert-model, then validate-pb, then package-submission.
    --debug behind any command shows tracebacks.
    """


def run(command: click.Command, name: str) -> None:
    """Run a command and exit by the rules: 0 passed, 1 rule broken, 2 wrong call or input, 3 our fault."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that clean-up runs
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    debug = len(arguments) != len(sys.argv[1:]) or bool(os.environ.get("PIXELPROOF_DEBUG"))
    try:
        with command.make_context(name, arguments, help_option_names=["-h", "--help"]) as context:
            code = command.invoke(context)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except PixelproofError as error:
        if debug:
            raise
        click.echo(printable(f"Error: {error}"), err=True)
        code = error.exit_code
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        click.echo(printable(told.getvalue()), err=True, nl=False)
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped. Nothing half-written was left behind.", err=True)
        code = 130
    except BrokenPipeError:
        from pixelproof.terminal import BROKEN_PIPE, drop_stdout

        drop_stdout()
        code = BROKEN_PIPE
    except Exception as error:
        if debug:
            raise
        click.echo(printable(f"Internal error: {type(error).__name__}: {error}"), err=True)
        click.echo("This is a fault of pixelproof; run again with --debug to see where.", err=True)
        code = 3
    sys.exit(code if isinstance(code, int) else 0)


def main() -> None:
    """``pixelproof``."""
    run(group, "pixelproof")


def _script(name: str) -> Callable[[], None]:
    def script() -> None:
        run(load_command(name), name)

    return script


convert_model = _script("convert-model")
ckpt2pb = _script("ckpt2pb")
pb2tflite = _script("pb2tflite")
restore_images = _script("restore-images")
validate_pb = _script("validate-pb")
package_submission = _script("package-submission")
train_model = _script("train-model")
super_resolve = _script("super-resolve")
