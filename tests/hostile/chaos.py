"""``make chaos``: commands killed with ``kill -9`` at random moments, full disks, read-only folders.

After each: every output is absent or whole, no process of the command runs, no temporary file or folder is left, and
the same command run again succeeds. Prints a table; exit code 1 where anything was found.

    python tests/hostile/chaos.py --rounds 60 --seed 1
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psutil
from chaos_disks import CLEAN_WITHIN_S, DiskRound, disk_rounds
from chaos_processes import PAUSE_S, janitors_of, wait_until_clean, workers_of
from chaos_scenes import LIMIT_S, Scene, environment, scenes

from pixelproof.console import Console

VICTIMS = {"the command": 6, "a worker": 2, "the janitor": 1}
"""Whom the kill hits, and how often of nine."""
AGAIN = 1 / 3
ENDED_FIRST = "ended before it"


@dataclass(frozen=True)
class Plan:
    """One round.

    Attributes:
        over: whether outputs of an earlier run stand there already.
        moment_s: when the kill falls, after the start.
        again: run the command once more afterwards.
    """

    number: int
    scene: Scene
    victim: str
    over: bool
    moment_s: float
    again: bool


@dataclass(frozen=True)
class Round:
    """What came of it.

    Attributes:
        killed: whether the victim was still there.
        clean_s: from the command's end until nothing of it was left.
        faults: what was wrong.
    """

    number: int
    command: str
    victim: str
    over: bool
    moment_s: float
    killed: bool
    exit_code: int
    clean_s: float
    again: bool
    faults: tuple[str, ...]


def plans(tried: tuple[Scene, ...], *, rounds: int, seed: int) -> Iterator[Plan]:
    """Every scene in turn; the rest is drawn."""
    chance = random.Random(seed)
    for number in range(rounds):
        scene = tried[number % len(tried)]
        (victim,) = chance.choices(list(VICTIMS), weights=list(VICTIMS.values()))
        yield Plan(
            number=number + 1,
            scene=scene,
            victim=victim,
            over=chance.random() < 0.5,
            moment_s=chance.uniform(0, scene.seconds),
            again=chance.random() < AGAIN,
        )


def carry_out(plan: Plan, folder: Path) -> Round:
    """Start the command, kill the victim, and look."""
    scene, out, home, temporary = plan.scene, folder / "out", folder / "home", folder / "tmp"
    for needed in (home, temporary):
        needed.mkdir(parents=True)
    if plan.over:
        shutil.copytree(scene.good, out)
    with (folder / "said").open("w+") as said:
        start = time.monotonic()
        with subprocess.Popen(
            scene.command(out), env=environment(home, temporary), stdout=said, stderr=subprocess.STDOUT
        ) as running:
            time.sleep(max(0.0, plan.moment_s - (time.monotonic() - start)))
            killed = _kill(plan.victim, running, folder)
            code = running.wait(LIMIT_S)
        clean_s, faults = wait_until_clean(folder, temporary, limit_s=CLEAN_WITHIN_S)
        faults += scene.faults(out, all_there=plan.over or code == 0)
        faults += _wrong_end(plan.victim if killed else ENDED_FIRST, code, (folder / "said").read_text())
        if plan.again:
            faults += _run_again(scene, folder, out)
    return Round(
        plan.number,
        scene.name,
        plan.victim,
        plan.over,
        plan.moment_s,
        killed,
        code,
        clean_s,
        plan.again,
        tuple(faults),
    )


def _kill(victim: str, running: subprocess.Popen[bytes], folder: Path) -> bool:
    """Kill it, a worker or a janitor as soon as there is one; whether it was there."""
    if victim == "the command":
        if running.poll() is not None:
            return False
        running.kill()
        return running.wait() < 0
    find = workers_of if victim == "a worker" else janitors_of
    while running.poll() is None:
        for process in find(folder):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
            return True
        time.sleep(PAUSE_S)
    return False


def _wrong_end(victim: str, code: int, said: str) -> list[str]:
    """Exit code and message that don't fit."""
    allowed = {"the command": (-9,), "a worker": (0, 1, 3), "the janitor": (0,), ENDED_FIRST: (0,)}[victim]
    faults = [] if code in allowed else [f"exit code {code}: {said[-500:]}"]
    words = [word for word in ("Traceback", "Internal error", "pixelproof's fault") if word in said]
    return faults + [f"says {word!r}: {said[-500:]}" for word in words]


def _run_again(scene: Scene, folder: Path, out: Path) -> list[str]:
    temporary = folder / "tmp"
    done = subprocess.run(
        scene.command(out),
        env=environment(folder / "home", temporary),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    faults = [] if done.returncode == 0 else [f"exit code {done.returncode}: {done.stderr[-500:]}"]
    faults += scene.faults(out, all_there=True) + wait_until_clean(folder, temporary, limit_s=0.5)[1]
    return [f"run again: {fault}" for fault in faults]


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _left(done: int, total: int, start: float) -> str:
    seconds = (time.monotonic() - start) / done * (total - done)
    return f"about {seconds / 60:.0f} min left" if seconds >= 60 else f"about {seconds:.0f} s left"


def _show(rounds: list[Round], disks: list[DiskRound]) -> None:
    console = Console()
    rows = []
    for r in rounds:
        state = "over an earlier one" if r.over else "for the first time"
        moment = f"{r.moment_s:.2f} s" if r.killed else f"{r.moment_s:.2f} s: {ENDED_FIRST}"
        verdict = "; ".join(r.faults) or ("whole, clean, runs again" if r.again else "whole, clean")
        rows.append(
            [str(r.number), r.command, state, r.victim, moment, f"{r.clean_s * 1000:.0f} ms", verdict]
        )
    columns = ["#", "command", "writing", "killed", "at", "clean after", "verdict"]
    console.table("kill -9", columns, rows)
    lines = [
        [
            d.command,
            d.disk,
            f"skipped: {d.skipped}" if d.skipped else "; ".join(d.faults) or "said, nothing left",
        ]
        for d in disks
    ]
    if lines:
        console.table("Disks", ["command", "disk", "verdict"], lines)
    counted = []
    for victim in VICTIMS:
        of_it = [r for r in rounds if r.victim == victim]
        hit = [r for r in of_it if r.killed]
        slowest = max((r.clean_s for r in hit), default=0.0)
        wrong = sum(bool(r.faults) for r in of_it)
        again = sum(r.again for r in of_it)
        counted.append(
            [victim, str(len(of_it)), str(len(hit)), str(again), f"{slowest * 1000:.0f} ms", str(wrong)]
        )
    heads = ["killed", "rounds", "hit", "run again", "slowest to be clean", "wrong"]
    console.table("In sum", heads, counted)


@click.command()
@click.option("--rounds", default=60, show_default=True, help="How many kills.")
@click.option("--seed", default=1, show_default=True, help="Of what is drawn.")
@click.option("--disks/--no-disks", default=True, show_default=True, help="Full and read-only disks too.")
@click.option("--short", is_flag=True, help="Fewer formats and checks, fewer disks.")
@click.option("--json", "json_to", type=click.Path(path_type=Path), help="Write all rounds there.")
def main(rounds: int, seed: int, disks: bool, short: bool, json_to: Path | None) -> None:
    """Kill commands at random moments, and look at what is left."""
    done: list[Round] = []
    on_disks: list[DiskRound] = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        (folder / "good").mkdir()
        _note("each command once without chaos ...")
        tried = scenes(folder / "good", short=short)
        _note(", ".join(f"{scene.name} {scene.seconds:.1f} s" for scene in tried))
        start = time.monotonic()
        for plan in plans(tried, rounds=rounds, seed=seed):
            result = carry_out(plan, folder / f"round-{plan.number}")
            shutil.rmtree(folder / f"round-{plan.number}")
            done.append(result)
            what = f"{plan.number} of {rounds}: {result.command}, {result.victim} at {result.moment_s:.2f} s"
            verdict = "; ".join(result.faults) or "clean"
            _note(f"{what}: {verdict}; {_left(plan.number, rounds, start)}")
        for scene in tried if disks else ():
            for on_disk in disk_rounds(scene, folder / "disks" / scene.name, short=short):
                on_disks.append(on_disk)
                _note(
                    f"{on_disk.command}, {on_disk.disk}: {on_disk.skipped or '; '.join(on_disk.faults) or 'clean'}"
                )
    _show(done, on_disks)
    if json_to is not None:
        json_to.write_text(
            json.dumps({"kills": list(map(asdict, done)), "disks": list(map(asdict, on_disks))})
        )
    sys.exit(1 if any(r.faults for r in done) or any(d.faults for d in on_disks) else 0)


if __name__ == "__main__":
    main()
