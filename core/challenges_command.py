"""``pixelproof challenges``: list, show, scaffold and check the rules of contests."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pixelproof.errors import CallError
from pixelproof.rules import Mai2021Scores, Mai2022Scores, Scores

if TYPE_CHECKING:
    from pixelproof.challenge import Challenge, Fidelity, Results, Track
    from pixelproof.console import Console

Rows = list[tuple[str, str]]


@click.group("challenges", invoke_without_command=True)
@click.pass_context
def challenges(context: click.Context) -> int:
    """The challenges that pixelproof knows; without a subcommand they are listed."""
    if context.invoked_subcommand is None:
        _list()
    return 0


def _list() -> None:
    from pixelproof.challenge import known_challenges, load_challenge
    from pixelproof.console import Console

    console = Console()
    loaded = [load_challenge(name) for name in known_challenges()]
    rows = [(c.id, c.title, ", ".join(c.tracks)) for c in loaded]
    console.table("Challenges", ("id", "title", "tracks"), rows)
    console.next_step(f"pixelproof challenges show {loaded[0].id}")


@challenges.command("show")
@click.argument("name", metavar="ID|FILE")
@click.option("--toml", "as_toml", is_flag=True, help="Print the file itself.")
@click.option("--json", "json_to", metavar="FILE|-", help="Write the rules as JSON; - is standard output.")
def show(name: str, as_toml: bool, json_to: str | None) -> int:
    """The rules of one challenge: tracks, limits, scores."""
    from pixelproof.challenge import challenge_text, parse_challenge
    from pixelproof.console import Console

    if as_toml and json_to is not None:
        raise CallError("Rules are printed in one form", found="--toml and --json", remedy="Drop one.")
    label, text = challenge_text(name)
    challenge = parse_challenge(text, label=label)
    if as_toml:
        click.echo(text, nl=False)
        return 0
    console = Console(json_to)
    _show(console, challenge)
    console.json(challenge)
    return 0


@challenges.command("new")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--from", "source", metavar="ID", help="Start from this challenge's file, not from a blank one."
)
def new(file: Path, source: str | None) -> int:
    """Write a commented challenge file to FILE (it must not exist yet)."""
    from pixelproof.challenge import challenge_text, load_challenge, parse_challenge
    from pixelproof.challenge_template import TEMPLATE, scaffold
    from pixelproof.console import Console
    from pixelproof.files import write_text

    if file.suffix != ".toml":
        raise CallError(
            "A challenge file ends in .toml", found=str(file), remedy=f"Try {file.with_suffix('.toml')}."
        )
    if file.exists():
        remedy = "Choose another name, or remove the file first."
        raise CallError("A new challenge file must not exist yet", found=str(file), remedy=remedy)
    label, text = ("template", TEMPLATE) if source is None else challenge_text(source)
    parse_challenge(text, label=label)
    identifier = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-") or "my-challenge"
    write_text(file, scaffold(text, identifier=identifier))
    load_challenge(str(file))
    console = Console()
    console.line(f"Wrote {file}.")
    console.next_step(f"pixelproof challenges check {shlex.quote(str(file))}")
    return 0


@challenges.command("check")
@click.argument("file", metavar="FILE")
def check(file: str) -> int:
    """Check a challenge file; an error names the key and its line."""
    from pixelproof.challenge import load_challenge
    from pixelproof.console import Console

    challenge = load_challenge(file)
    console = Console()
    console.line(f"{file} holds to the schema: {challenge.id}, {challenge.title}.")
    for name, track in challenge.tracks.items():
        named = ("fidelity", "runtime", "scores", "results")
        parts = [part for part in named if getattr(track, part) is not None]
        console.line(f"  track {name}: {track.title} (contract, limits{''.join(', ' + p for p in parts)})")
    if challenge.submission is None:
        console.line("  no [submission]: package-submission will not know what to pack")
    first, track = next(iter(challenge.tracks.items()))
    judged = f"--challenge {shlex.quote(file)} --track {first}"
    if track.results is None:
        console.next_step(f"validate-pb model.pb {judged} --data DIR")
    else:
        console.next_step(f"pixelproof validate-images results.zip {judged} --targets DIR")
    return 0


def _show(console: Console, challenge: Challenge) -> None:
    console.line(f"{challenge.id}: {challenge.title}", style="bold")
    console.line(challenge.url)
    console.line(f"Data: {challenge.data_folder}/ below PIXELPROOF_DATA, or the folder that --data names")
    for name, track in challenge.tracks.items():
        console.line()
        console.table(f"Track {name}: {track.title}", ("rule", "value"), _track_rows(track))
        if isinstance(track.scores, Scores):
            rows = [
                (label, f"{w.alpha:g}", f"{w.beta:g}", f"{w.gamma:g}")
                for label, w in track.scores.weights.items()
            ]
            console.table(f"Scores of track {name}", ("score", "alpha", "beta", "gamma"), rows)
    if challenge.submission is not None:
        console.line()
        console.table("Submission", ("rule", "value"), _submission_rows(challenge))
    for rule in challenge.honour:
        console.line(f"Not judged, on your honour: {rule}")


def _track_rows(track: Track) -> Rows:
    if track.results is not None and track.fidelity is not None:
        return [*_result_rows(track, track.results), *_fidelity_rows(track.fidelity), *_gate_rows(track)]
    contract, limits = track.contract, track.limits
    rows = [
        ("input, output", f"{contract.input}, {contract.output}"),
        ("channels", " to ".join(map(str, contract.channels))),
        ("scale", f"x{contract.scale}"),
        ("values", f"{_range(contract.warn_range)}, at most {_range(contract.fail_range)}"),
        ("sizes", _sizes(track)),
    ]
    if limits.model_mib is not None:
        rows.append(("model file", f"at most {limits.model_mib:g} MiB"))
    if limits.parameters_below is not None:
        rows.append(("parameters", f"fewer than {limits.parameters_below:,}"))
    if limits.peak_memory is not None:
        peak = limits.peak_memory
        limit = (
            "measured, not limited,"
            if math.isinf(peak.total_rss_mib)
            else f"at most {peak.total_rss_mib:g} MiB"
        )
        rows.append(("peak memory", f"{limit} at {peak.height}x{peak.width}"))
    if track.companion is not None:
        told = f"{track.companion.member}, the same network at any size within {track.companion.tolerance:g}"
        rows.append(("companion", told))
    if track.fidelity is not None:
        rows += _fidelity_rows(track.fidelity)
    if track.runtime is not None:
        run = track.runtime
        how = "alone" if run.baseline is None else f"beside {run.baseline}"
        on = "an artificial image" if run.images is None else run.images
        size = "mean over all, each at its own size" if run.every_image else f"{run.height}x{run.width}"
        rows.append(("runtime", f"{how} on {on} ({size})"))
    rows += _gate_rows(track)
    if track.complexity is not None:
        cost = track.complexity
        rows.append(("complexity", f"as {cost.convention} counts, at {cost.height}x{cost.width}"))
    if track.ranking is not None:
        order = track.ranking
        weights = ", ".join(f"{weight:g} {name}" for name, weight in order.weights.items())
        by = f"weights {weights}" if weights else " + ".join(order.metrics)
        rows.append(("ranking", f"{order.method.replace('_', ' ')}: {by}"))
    return [*rows, *_score_rows(track)]


def _result_rows(track: Track, results: Results) -> Rows:
    size = "each its target's"
    if results.height is not None:
        size = f"{results.height}x{results.width}, x{track.contract.scale} of the input"
    folders = "no folder" if results.folder_depth == 0 else f"at most {results.folder_depth} deep"
    rows = [
        ("handed in", f"{results.count} pictures under their targets' names, {results.extension}, 8-bit RGB"),
        ("size", size),
        ("folders around them", folders),
    ]
    return [*rows, ("zip", f"at most {results.zip_mib:g} MiB")] if results.zip_mib is not None else rows


def _gate_rows(track: Track) -> Rows:
    return [] if track.gates is None else [("PSNR gate", f"at least {track.gates.psnr_db:.2f} dB")]


def _score_rows(track: Track) -> Rows:
    match track.scores:
        case Scores() as s:
            total = f"alpha (PSNR - {s.psnr_baseline:g}) + beta (MS-SSIM - {s.ssim_baseline:g})"
            opinion = "may replace MS-SSIM" if s.mos_may_replace_ms_ssim else "not foreseen"
            return [
                ("total", f"{total} + gamma min(speed-up, {s.speedup_cap:g})"),
                ("opinion score", opinion),
            ]
        case Mai2021Scores() as s:
            clipped = f"runtime from {s.shortest_s:g} to {s.longest_s:g} s"
            total = f"PSNR + factor * ({s.target_s:g} - {clipped})"
            rows = [
                ("total", total),
                ("factor", f"{s.fast:g} up to {s.target_s:g} s, {s.slow:g} beyond"),
            ]
        case Mai2022Scores() as s:
            rows = [("total", f"2^(2 PSNR) / ({s.constant:g} * runtime in ms)")]
        case None:
            return []
    return [*rows, ("device", s.device)] if s.device else rows


def _fidelity_rows(fidelity: Fidelity) -> Rows:
    made = fidelity.degrade
    source = fidelity.inputs or "made from the targets"
    if made is not None:
        source += (
            f" (shrunk x{made.factor} by {made.filter}{', enlarged again' if made.restore_size else ''})"
        )
    if fidelity.bayer is not None:
        raw = fidelity.bayer
        source += f" (RAW, {raw.cfa}, {raw.black_level:g} to {raw.white_level:g})"
    rows = [("inputs", source), ("targets", fidelity.targets)]
    psnr, ssim = fidelity.psnr, fidelity.ms_ssim
    rounded = ", rounded to 8 bit" if psnr.round_to_8_bit else ""
    rows.append(("PSNR", f"{_border(psnr.crop_border, clip=psnr.clip)}{rounded}"))
    if ssim is not None:
        rows.append(("MS-SSIM", f"{ssim.variant}, {_border(ssim.crop_border, clip=ssim.clip)}"))
    return rows


def _submission_rows(challenge: Challenge) -> Rows:
    submission = challenge.submission
    assert submission is not None
    rows = [
        ("formats", ", ".join(submission.formats)),
        ("name in the zip", submission.model_member),
        ("checks that must have run", ", ".join(submission.required_checks)),
    ]
    if submission.per_day is not None:
        rows.append(("a day", f"{submission.per_day}, failed ones not counted"))
    rows.append(("what counts", f"the {submission.counts} successful one"))
    if submission.mail is not None:
        rows.append(("mail", f"{submission.mail.to}: {submission.mail.subject}"))
    if submission.registration is not None:
        rows.append(("registration", f"{submission.registration.to}: {submission.registration.subject}"))
    return rows


def _range(pair: tuple[float, float]) -> str:
    return f"[{pair[0]:g}, {pair[1]:g}]"


def _border(pixels: int, *, clip: bool) -> str:
    return f"{pixels} px dropped a side, {'clipped' if clip else 'not clipped'}"


def _sizes(track: Track) -> str:
    contract = track.contract
    kind = "any" if contract.any_resolution else "fixed"
    if contract.fixed_size is not None:
        return f"{contract.fixed_size[0]}x{contract.fixed_size[1]}, stated by the file"
    least = f", at least {contract.minimum_size}" if contract.minimum_size > 1 else ""
    multiple = f", multiples of {contract.size_multiple}" if contract.size_multiple > 1 else ""
    return kind + least + multiple
