"""``pixelproof fetch``: bring a challenge's official data and weights."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pixelproof.console import Console
    from pixelproof.fetch import Plan
    from pixelproof.file_list import FileList


@click.command("fetch")
@click.argument("challenge")
@click.option(
    "--to", "to", type=click.Path(path_type=Path), metavar="DIR",
    help="Where the files go. Default: the challenge's folder in PIXELPROOF_DATA, else in this folder.",
)  # fmt: skip
@click.option(
    "--from", "source", metavar="DIR|ZIP|URL",
    help="A local copy, the zip archive of the official repository, or the address of a mirror.",
)  # fmt: skip
def fetch(challenge: str, to: Path | None, source: str | None) -> int:
    """Bring the official files of CHALLENGE (such as pirm2018), each checked by its SHA-256.

    Run it again to go on where it stopped: files that are already right are left alone.
    """
    from pixelproof.challenge import load_challenge
    from pixelproof.console import Console
    from pixelproof.fetch import carry_out, make_plan, open_source
    from pixelproof.file_list import load_file_list
    from pixelproof.files import MIB

    console = Console()
    listed = load_file_list(challenge)
    target = to if to is not None else _default_target(load_challenge(challenge).data_folder)
    plan = make_plan(listed, target)
    if not plan.pending:
        console.line(f"All {plan.already} files are already in {target}.")
        _say_next(console, challenge, listed, target)
        return 0
    with open_source(source, listed) as origin:
        console.line(
            f"Bringing {len(plan.pending)} files ({plan.bytes / MIB:.1f} MiB) from {origin.label}"
            f" to {target}; {plan.already} are already there."
        )
        try:
            with console.progress("KiB", total=plan.bytes // 1024) as advance:
                carry_out(plan, origin, advance=_in_kib(advance, plan.bytes))
        except KeyboardInterrupt:
            return _say_stopped(make_plan(listed, target))
    console.line(f"{len(listed.files)} files, each with the right SHA-256, are in {target}.")
    _say_next(console, challenge, listed, target)
    return 0


def _default_target(data_folder: str) -> Path:
    return Path(os.environ.get("PIXELPROOF_DATA") or ".") / data_folder


def _in_kib(advance: Callable[[int, str], None], total: int) -> Callable[[int], None]:
    """Turn bytes from many threads into whole KiB for one bar."""
    lock = Lock()
    come = 0

    def count(number: int) -> None:
        nonlocal come
        with lock:
            before, come = come, come + number
            advance(come // 1024 - before // 1024, f"{come / 2**20:.1f} of {total / 2**20:.1f} MiB")

    return count


def _say_stopped(plan: Plan) -> int:
    click.echo(
        f"Stopped: {plan.already} files are complete in {plan.target}, {len(plan.parts)} are kept"
        " half-downloaded (*.part). Run the same command again to go on.",
        err=True,
    )
    return 130


def _say_next(console: Console, challenge: str, listed: FileList, target: Path) -> None:
    from pixelproof.challenge import load_challenge

    folder = load_challenge(challenge).data_folder
    example = listed.example
    model = shlex.quote(str(target / example.model)) if example else "model.pb"
    track = example.track if example else next(iter(load_challenge(challenge).tracks))
    found = (Path(os.environ.get("PIXELPROOF_DATA") or os.devnull) / folder).absolute() == target.absolute()
    data = "" if found else f" --data {shlex.quote(str(target))}"
    if not found and target.name == folder:
        parent = shlex.quote(str(target.absolute().parent))
        console.line(f"To have it found without --data: export PIXELPROOF_DATA={parent}")
    console.next_step(f"validate-pb {model} --challenge {challenge} --track {track}{data}")
