"""What a killed process leaves behind goes, and nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelproof import janitor_main
from pixelproof.janitor import Janitor, forget_path, standing_aside, watch_path
from pixelproof.janitor_main import as_hex, clean_up, end_group, is_ours, read_entries, remove_folder, started

PATIENCE_S = 10.0
SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
groups = pytest.mark.skipif(not hasattr(os, "killpg"), reason="a system without process groups")


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def parent(script: str, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process that runs a script and stays; the numbers that it prints first, the janitor's before them."""
    start = (
        "import os, sys, subprocess, threading, time\n"
        "from pathlib import Path\n"
        "from pixelproof.janitor import *\n"
        "from pixelproof.janitor import _janitor\n"
    )
    end = "\nprint(_janitor().pid, *numbers, flush=True)\nsys.stdin.readline()\n"
    command = [sys.executable, "-c", f"{start}numbers = []\n{script}{end}", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        try:
            yield running, [int(word) for word in running.stdout.readline().split()]
        finally:
            running.kill()


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    folder, file, kept = tmp_path / "pixelproof-a", tmp_path / ".model.pb.0.part", tmp_path / "model.pb"
    script = (
        "folder, file, kept = map(Path, sys.argv[1:])\n"
        "watch_path(folder); watch_path(file)\n"
        "folder.mkdir(); (folder / 'x').write_text(''); file.write_text('half'); kept.write_text('whole')"
    )
    with parent(script, folder, file, kept) as (running, (janitor,)):
        assert sorted(tmp_path.iterdir()) == sorted([folder, file, kept])
        running.kill()
        wait_for(lambda: is_gone(janitor))
    assert list(tmp_path.iterdir()) == [kept]


def test_what_was_forgotten_stays(tmp_path: Path) -> None:
    first, second = tmp_path / "pixelproof-a", tmp_path / "pixelproof-b"
    script = (
        "for name in sys.argv[1:]: watch_path(Path(name)); Path(name).mkdir()\nforget_path(Path(sys.argv[1]))"
    )
    with parent(script, first, second) as (running, (janitor,)):
        running.kill()
        wait_for(lambda: is_gone(janitor))
    assert list(tmp_path.iterdir()) == [first]


@pytest.mark.skipif(os.name == "nt", reason="names are no bytes there")
@pytest.mark.parametrize("name", ["pixelproof-\n+path", "pixelproof-\udcff", "pixelproof-ü b"])
def test_any_name_travels(tmp_path: Path, name: str) -> None:
    script = "path = Path(sys.argv[1]); watch_path(path); path.mkdir()"
    with parent(script, tmp_path / name) as (running, (janitor,)):
        assert len(list(tmp_path.iterdir())) == 1
        running.kill()
        wait_for(lambda: is_gone(janitor))
    assert list(tmp_path.iterdir()) == []


def test_a_relative_name_is_meant_as_of_now(tmp_path: Path) -> None:
    script = (
        "os.chdir(sys.argv[1]); watch_path(Path('pixelproof-a')); Path('pixelproof-a').mkdir(); os.chdir('/')"
    )
    with parent(script, tmp_path) as (running, (janitor,)):
        running.kill()
        wait_for(lambda: is_gone(janitor))
    assert list(tmp_path.iterdir()) == []


@groups
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_whole_group_doesn_t_reach_the_janitor(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = "path = Path(sys.argv[1]); watch_path(path); path.mkdir()"
    with parent(script, tmp_path / "pixelproof-a") as (running, (janitor,)):
        os.killpg(running.pid, number)
        wait_for(lambda: is_gone(janitor))
    assert list(tmp_path.iterdir()) == []


@groups
def test_groups_end_before_their_folder_goes(tmp_path: Path) -> None:
    """The leader writes on and on, and so does a process that it started."""
    folder = tmp_path / "pixelproof-a"
    writer = (
        "import os, sys, time; child = os.fork(); stem = os.getpid()\n"
        "for number in range(10**6): open(f'{sys.argv[1]}/{stem}-{number}', 'w').close()"
    )
    script = (
        "watch_path(Path(sys.argv[1])); os.mkdir(sys.argv[1])\n"
        "leader = subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]], start_new_session=True)\n"
        "watch_group(leader.pid)\n"
        "while len({name.split('-')[0] for name in os.listdir(sys.argv[1])}) < 2: time.sleep(0.01)\n"
        "numbers = {int(name.split('-')[0]) for name in os.listdir(sys.argv[1])}"
    )
    with parent(script, folder, writer) as (running, (janitor, *writers)):
        assert len(writers) == 2 and not any(map(is_gone, writers))
        running.kill()
        wait_for(lambda: is_gone(janitor))
    wait_for(lambda: all(map(is_gone, writers)))
    assert list(tmp_path.iterdir()) == []


@groups
def test_a_group_whose_leader_has_ended_ends_too() -> None:
    leader = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', sys.argv[1]])\nprint(child.pid)"
    script = (
        "leader = subprocess.Popen([sys.executable, '-c', *sys.argv[1:]], start_new_session=True,"
        " stdout=subprocess.PIPE)\n"
        "watch_group(leader.pid); numbers = [int(leader.stdout.readline())]; leader.wait()"
    )
    with parent(script, leader, SLEEPER[-1]) as (running, (janitor, orphan)):
        assert not is_gone(orphan)
        running.kill()
        wait_for(lambda: is_gone(janitor))
    wait_for(lambda: is_gone(orphan))


@groups
def test_a_forgotten_group_lives_on() -> None:
    script = (
        "child = subprocess.Popen(sys.argv[1:], start_new_session=True); numbers = [child.pid]\n"
        "watch_group(child.pid); forget_group(child.pid)"
    )
    with parent(script, *SLEEPER[:1], "-c", "import time; time.sleep(600)") as (running, (janitor, child)):
        running.kill()
        wait_for(lambda: is_gone(janitor))
        assert not is_gone(child)
        os.kill(child, signal.SIGKILL)


@groups
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_number_that_went_to_another_process_is_left_alone() -> None:
    with subprocess.Popen(SLEEPER, start_new_session=True, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None and stranger.stdout.readline()
        for other in (b"", b"1", started(str(os.getpid()))):
            end_group(str(stranger.pid), other)
        time.sleep(0.2)
        assert stranger.poll() is None
        end_group(str(stranger.pid), started(str(stranger.pid)))
        assert stranger.wait(PATIENCE_S) == -signal.SIGKILL


def test_a_group_is_never_everybody() -> None:
    for number in ("0", "1", "-1"):
        end_group(number, started(number))  # we are still here


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_stood_aside_goes_back_where_nothing_took_its_place(
    tmp_path: Path, replaced: bool
) -> None:
    target, old = tmp_path / "saved_model", tmp_path / ".saved_model.0.old"
    target.mkdir()
    (target / "first").write_text("")
    script = (
        "target, old = map(Path, sys.argv[1:3]); aside = standing_aside(old, target); aside.__enter__()\n"
        "target.replace(old)\n"
        "if sys.argv[3] == 'True': target.mkdir(); (target / 'second').write_text('')"
    )
    with parent(script, target, old, replaced) as (running, (janitor,)):
        assert old.exists()
        running.kill()
        wait_for(lambda: is_gone(janitor))
    assert list(tmp_path.iterdir()) == [target]
    assert [path.name for path in target.iterdir()] == ["second" if replaced else "first"]


def test_a_regular_end_is_clean_and_leaves_no_janitor(tmp_path: Path) -> None:
    left = tmp_path / "pixelproof-left"
    script = "path = Path(sys.argv[1]); watch_path(path); path.mkdir()"
    with parent(script, left) as (running, (janitor,)):
        assert not is_gone(janitor)
        running.communicate("\n", timeout=PATIENCE_S)
        assert running.returncode == 0
        assert is_gone(janitor) and not left.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_children_that_live_on_don_t_hold_the_janitor_up(tmp_path: Path) -> None:
    """One that was forked, and one that was started with every descriptor left open."""
    script = (
        "path = Path(sys.argv[1]); watch_path(path); path.mkdir()\n"
        "started = subprocess.Popen(sys.argv[2:], close_fds=False, stdout=subprocess.DEVNULL)\n"
        "forked = os.fork()\n"
        "if not forked: time.sleep(600)\n"
        "numbers = [started.pid, forked]"
    )
    with parent(script, tmp_path / "pixelproof-a", *SLEEPER) as (running, (janitor, *children)):
        running.kill()
        wait_for(lambda: is_gone(janitor))
        assert list(tmp_path.iterdir()) == []
        for child in children:
            assert not is_gone(child)
            os.kill(child, signal.SIGKILL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_child_has_a_janitor_of_its_own(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "pixelproof-parent", tmp_path / "pixelproof-child"
    script = (
        "ours, theirs = map(Path, sys.argv[1:]); watch_path(ours); ours.mkdir()\n"
        "reading, writing = os.pipe(); forked = os.fork()\n"
        "if not forked:\n"
        "    watch_path(theirs); theirs.mkdir(); os.write(writing, str(_janitor().pid).encode()); time.sleep(600)\n"
        "numbers = [forked, int(os.read(reading, 20))]"
    )
    with parent(script, ours, theirs) as (running, (janitor, forked, second)):
        assert second != janitor
        os.kill(forked, signal.SIGKILL)
        wait_for(lambda: is_gone(second))
        assert list(tmp_path.iterdir()) == [ours]
        running.kill()
        wait_for(lambda: is_gone(janitor))
        assert list(tmp_path.iterdir()) == []


def test_names_of_others_are_refused(tmp_path: Path) -> None:
    for name in ("model.pb", ".bashrc", "saved_model", ".part", "x.part", "pixelproof"):
        assert is_ours(f"/somewhere/{name}") == (name == ".part"), name
    with pytest.raises(ValueError, match="not a name of a temporary"):
        watch_path(tmp_path / "model.pb")
    with pytest.raises(ValueError, match="not a name"), standing_aside(tmp_path / "a", tmp_path / "b"):
        pass


def test_the_janitor_refuses_them_too(tmp_path: Path) -> None:
    for name in ("model.pb", "pixelproof-a"):
        (tmp_path / name).write_text("")
    lines = [f"+path {as_hex(str(tmp_path / name))}\n".encode() for name in ("model.pb", "pixelproof-a")]
    clean_up(read_entries(lines))
    assert [path.name for path in tmp_path.iterdir()] == ["model.pb"]


def test_a_line_that_was_cut_off_counts_for_nothing() -> None:
    assert read_entries([b"+path 61\n", b"+path 62"]) == {"path 61": b""}
    assert read_entries([b"+path 61\n", b"-path 61\n", b"\n", b"?\n"]) == {}


@pytest.fixture
def janitor() -> Iterator[Janitor]:
    """One of this process, besides the usual one."""
    made = Janitor()
    yield made
    made.close()


def entry(path: Path) -> str:
    """A folder's entry."""
    return f"path {as_hex(str(path))}"


def test_one_that_was_killed_is_replaced_and_told_everything(tmp_path: Path, janitor: Janitor) -> None:
    first, second = tmp_path / "pixelproof-a", tmp_path / "pixelproof-b"
    first.mkdir()
    janitor.watch(entry(first))
    killed = janitor.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: is_gone(killed))
    assert first.exists()
    second.mkdir()
    janitor.watch(entry(second))
    assert janitor.pid not in (None, killed)
    janitor.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="no SIGSTOP there")
def test_one_that_hangs_holds_nobody_up_and_removes_nothing(tmp_path: Path, janitor: Janitor) -> None:
    folder = tmp_path / "pixelproof-a"
    folder.mkdir()
    janitor.watch(entry(folder))
    hanging = janitor.pid
    assert hanging is not None
    os.kill(hanging, signal.SIGSTOP)
    start = time.monotonic()
    for number in range(5000):  # more than a pipe holds
        janitor.watch(entry(tmp_path / f"pixelproof-{number}"))
        janitor.forget(entry(tmp_path / f"pixelproof-{number}"))
    assert time.monotonic() - start < PATIENCE_S
    assert is_gone(hanging) and janitor.pid not in (None, hanging)
    assert folder.exists()


def test_one_that_can_t_start_breaks_nothing(
    tmp_path: Path, janitor: Janitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pixelproof-a"
    folder.mkdir()
    for wrong in (str(tmp_path / "no python"), "", None, str(tmp_path)):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", wrong)
            janitor.watch(entry(folder))
        assert janitor.pid is None
    with monkeypatch.context() as patch:
        patch.setattr(janitor_main, "__file__", str(tmp_path / "no script"))
        janitor.watch(entry(folder))  # starts, and ends at once
        started_one = janitor.pid
        assert started_one is not None
        wait_for(lambda: is_gone(started_one))
    janitor.watch(entry(tmp_path / "pixelproof-b"))  # the next entry starts it
    janitor.close()
    assert not folder.exists()


def test_nothing_is_watched_after_the_end(tmp_path: Path, janitor: Janitor) -> None:
    janitor.close()
    janitor.watch(entry(tmp_path / "pixelproof-a"))
    janitor.forget(entry(tmp_path / "pixelproof-a"))
    assert janitor.pid is None


def test_threads_share_one(tmp_path: Path, janitor: Janitor) -> None:
    def work(number: int) -> None:
        for round_ in range(100):
            for prefix in ("gone", "stays"):
                (tmp_path / f"pixelproof-{prefix}-{number}-{round_}").mkdir()
                janitor.watch(entry(tmp_path / f"pixelproof-{prefix}-{number}-{round_}"))
            janitor.forget(entry(tmp_path / f"pixelproof-stays-{number}-{round_}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    janitor.close()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted(f"pixelproof-stays-{n}-{r}" for n in range(8) for r in range(100))


def test_forgetting_what_was_never_watched_is_allowed(tmp_path: Path) -> None:
    forget_path(tmp_path / "pixelproof-a")


TREES = st.recursive(
    st.sampled_from(["file", "link to a file", "link to a folder", "dead link", "locked"]),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=15,
)
Tree = str | list["Tree"]


def grow(tree: Tree, path: Path, outside: Path) -> None:
    """Make a tree at a path; its links point outside."""
    if isinstance(tree, list):
        path.mkdir()
        for number, inner in enumerate(tree):
            grow(inner, path / str(number), outside)
    elif tree == "file":
        path.write_text("x")
    elif tree == "locked":
        (path / "inner").mkdir(parents=True)
        (path / "inner").chmod(0o000)
        path.chmod(0o555)
    else:
        aim = {"link to a file": "file", "link to a folder": "folder", "dead link": "nothing"}[tree]
        path.symlink_to(outside / aim)


@given(st.lists(TREES, max_size=5))
@settings(max_examples=100, deadline=None)
def test_a_folder_goes_whole_and_alone(tree: list[Tree]) -> None:
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name, "outside")
        (outside / "folder" / "inner").mkdir(parents=True)
        (outside / "file").write_text("theirs")
        before = [(path, path.stat().st_mode) for path in sorted(outside.rglob("*"))]
        grow(tree, Path(name, "tree"), outside)
        remove_folder(str(Path(name, "tree")))
        assert [path.name for path in Path(name).iterdir()] == ["outside"]
        assert [(path, path.stat().st_mode) for path in sorted(outside.rglob("*"))] == before


@pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="a system without dir_fd")
def test_no_folder_is_too_deep(tmp_path: Path) -> None:
    folder = tmp_path / "pixelproof-deep"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(5000):
        os.mkdir("deeper", dir_fd=here)
        below = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    remove_folder(str(folder))
    assert list(tmp_path.iterdir()) == []


def test_a_link_with_our_name_goes_and_its_target_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "pixelproof-link"
    target.mkdir()
    link.symlink_to(target)
    clean_up(read_entries([f"+{entry(link)}\n".encode()]))
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(OSError, match="link"):
        link.symlink_to(target)
        remove_folder(str(link))
