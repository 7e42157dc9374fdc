"""Each wall on its own, and all together: no scanner in sight, the code inside tries to get out."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from pixelproof.measure.sandbox import landlock, system_calls

pytestmark = pytest.mark.skipif(system_calls.machine() is None, reason="needs Linux on x86_64 or aarch64")
Attempt = Callable[[str, dict[str, str]], dict[str, str]]
needs_landlock = pytest.mark.skipif(
    landlock.version() == 0, reason="this kernel has no Landlock (docs/security.md)"
)

LANDLOCK = """
from pixelproof.measure.sandbox import landlock, privileges, profiles
privileges.no_new_privileges()
landlock.restrict(profiles.access("cpu", inbox=inbox, own=own))
"""
SECCOMP = """
from pixelproof.measure.sandbox import privileges, seccomp
from pixelproof.measure.sandbox.system_calls import machine
privileges.no_new_privileges()
seccomp.install(machine(), pid=os.getpid())
"""
ALL = """
from pixelproof.measure.sandbox.limits import Limits
from pixelproof.measure.sandbox.lockdown import LockPlan, lock_down
layers = lock_down(LockPlan("cpu", Limits(data_mib=2048, cpu_s=60), inbox, own))
"""
FILES = {
    "read passwd": "open('/etc/passwd').read()",
    "read outside": "open(outside + '/file').read()",
    "list outside": "os.listdir(outside)",
    "write outside": "open(outside + '/new', 'w').write('x')",
    "append outside": "open(outside + '/file', 'a').write('x')",
    "truncate outside": "os.truncate(outside + '/file', 0)",
    "remove outside": "os.remove(outside + '/file')",
    "rename to outside": "os.rename(own + '/file', outside + '/moved')",
    "hard link from outside": "os.link(outside + '/file', own + '/linked')",
    "through a symbolic link": "(os.path.islink(own + '/s') or 0, open(own + '/s').read())",
    "write to the inbox": "open(inbox + '/file', 'w').write('x')",
    "make a folder outside": "os.mkdir(outside + '/d')",
    "read another process": "open(f'/proc/{os.getppid()}/environ').read()",
    "read a device": "open('/dev/mem', 'rb').read(1)",
}
REFUSED = "PermissionError"


@needs_landlock
def test_landlock_alone_keeps_files_closed(attempt: Attempt) -> None:
    found = attempt(f"os.symlink('/etc/passwd', own + '/s')\n{LANDLOCK}", FILES)
    assert found.pop("read a device") in (REFUSED, "FileNotFoundError")
    assert found.pop("hard link from outside") in (REFUSED, "OSError")  # EXDEV: it would change folders
    assert set(found.values()) == {REFUSED}


@needs_landlock
def test_landlock_leaves_open_what_a_worker_needs(attempt: Attempt) -> None:
    trials = {
        "read the inbox": "open(inbox + '/file').read()",
        "write its own": "open(own + '/new', 'w').write('x')",
        "rename its own": "os.rename(own + '/new', own + '/newer')",
        "remove its own": "os.remove(own + '/newer')",
        "a folder of its own": "os.mkdir(own + '/d')",
        "the null device": "open('/dev/null', 'w').write('x')",
        "random numbers": "open('/dev/urandom', 'rb').read(1)",
        "processors": "open('/proc/cpuinfo').read()",
        "a late import": "__import__('wave')",
    }
    assert set(attempt(LANDLOCK, trials).values()) == {"done"}


@needs_landlock
@pytest.mark.skipif(landlock.version() < 4, reason="this kernel's Landlock doesn't know TCP")
def test_landlock_alone_keeps_tcp_closed(attempt: Attempt) -> None:
    trials = {
        "connect": "__import__('socket').create_connection(('127.0.0.1', 9), 1)",
        "listen": "__import__('socket').create_server(('127.0.0.1', 0))",
    }
    assert set(attempt(LANDLOCK, trials).values()) == {REFUSED}


CALLS = {
    "socket": "__import__('socket').socket()",
    "unix socket": "__import__('socket').socket(1)",
    "socket pair": "__import__('socket').socketpair()",
    "fork": "os.fork()",
    "spawn": "__import__('subprocess').run(['/bin/true'])",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "exec": "os.execv('/bin/true', ['true'])",
    "signal the parent": "os.kill(os.getppid(), 0)",
    "signal everybody": "os.kill(-1, 0)",
    "leave the group": "os.setpgid(0, 0)",
    "leave the session": "os.setsid()",
    "chmod": "os.chmod(outside + '/file', 0o777)",
    "chown": "os.chown(outside + '/file', 1, 1)",
    "times": "os.utime(outside + '/file', (1, 1))",
    "attributes": "os.setxattr(outside + '/file', 'user.a', b'b')",
    "pipe as a file": "os.mkfifo(own + '/p')",
    "become another": "os.setresuid(1, 1, 1)",
    "chroot": "os.chroot(own)",
}


def test_seccomp_alone_keeps_calls_closed(attempt: Attempt) -> None:
    trials = dict(CALLS)
    if sys.version_info >= (3, 12):
        trials["namespace"] = "os.unshare(os.CLONE_NEWUSER)"
    assert {name for name, what in attempt(SECCOMP, trials).items() if what != REFUSED} == set()


def test_seccomp_leaves_threads_and_own_signals(attempt: Attempt) -> None:
    trials = {
        "thread": "(lambda t: (t.start(), t.join()))(__import__('threading').Thread(target=print))",
        "signal itself": "os.kill(os.getpid(), 0)",
        "read a limit": "__import__('resource').getrlimit(7)",
        "temporary file": "__import__('tempfile').TemporaryFile(dir=own).close()",
    }
    walls = f"{SECCOMP}\nsys.stdout = sys.stderr\n"
    found = attempt(f"{walls}import io\n", trials | {"restore": "setattr(sys, 'stdout', sys.__stdout__)"})
    assert set(found.values()) == {"done"}


@needs_landlock
def test_all_walls_together(attempt: Attempt) -> None:
    walls = f"os.symlink('/etc/passwd', own + '/s')\n{ALL}"
    trials = FILES | CALLS | {
        "a huge file": "open(own + '/big', 'wb').truncate(1 << 30)",
        "more memory": "bytearray(4 << 30)",
    }  # fmt: skip
    found = attempt(walls, trials)
    assert found.pop("a huge file") == "OSError"  # EFBIG
    assert found.pop("more memory") == "MemoryError"
    assert found.pop("read a device") in (REFUSED, "FileNotFoundError")
    assert found.pop("hard link from outside") in (REFUSED, "OSError")
    assert set(found.values()) == {REFUSED}


@needs_landlock
def test_every_layer_says_whether_it_stands(attempt: Attempt) -> None:
    walls = f"{ALL}\nstate = {{layer.name: layer for layer in layers}}\n"
    always = ("no_new_privs", "rlimits", "capabilities", "landlock", "seccomp")
    trials = {name: f"state[{name!r}].active or os.kill(-1, 0)" for name in always}
    trials["a reason"] = "all(layer.active or layer.detail for layer in layers) or os.kill(-1, 0)"
    trials["the order"] = (
        f"[*state] == {['no_new_privs', 'rlimits', 'setuid', *always[2:]]} or os.kill(-1, 0)"
    )
    assert attempt(walls, trials) == dict.fromkeys(trials, "done")
