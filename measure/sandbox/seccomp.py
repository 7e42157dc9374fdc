"""A seccomp filter: system calls that running a model never needs answer "not permitted".

What is denied reaches beyond the process (sockets, programs, other processes, namespaces), widens the kernel's
surface (io_uring, bpf, perf), or gets around Landlock, which knows no chmod, chown, times or attributes. The filter
is classic BPF over `struct seccomp_data` (seccomp(2)): call number at byte 0, architecture at 4, arguments from 16.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Sequence

from pixelproof.measure.sandbox.system_calls import AUDIT_ARCH, SECCOMP, Machine, prctl, system_call

DENIED: dict[str, tuple[int | None, int | None]] = {
    # name: (x86_64, aarch64); None where the machine has no such call
    # programs and processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "setsid": (112, 157), "setpgid": (109, 154),
    # network
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "move_mount": (429, 429), "open_tree": (428, 428), "mount_setattr": (442, 442),
    # what Landlock doesn't know
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "mknod": (133, None), "mknodat": (259, 33), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # System V and POSIX message passing
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # identity and limits
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setresuid": (117, 147), "setresgid": (119, 149), "setgroups": (116, 159), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "capset": (126, 91), "setrlimit": (160, 164), "personality": (135, 92),
    # the kernel's surface, and the machine's settings
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "fanotify_init": (300, 262),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "sethostname": (170, 161), "setdomainname": (171, 162), "acct": (163, 89), "quotactl": (179, 60),
    "syslog": (103, 116), "vhangup": (153, 58), "iopl": (172, None), "ioperm": (173, None),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
}  # fmt: skip

CLONE: dict[Machine, int] = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
KILL: dict[Machine, int] = {"x86_64": 62, "aarch64": 129}
TGKILL: dict[Machine, int] = {"x86_64": 234, "aarch64": 131}
PRLIMIT64: dict[Machine, int] = {"x86_64": 302, "aarch64": 261}
IOCTL: dict[Machine, int] = {"x86_64": 16, "aarch64": 29}
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
CLONE_THREAD = 0x00010000
CLONE_NAMESPACES = 0x7E020000  # NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
X32_BIT = 0x40000000

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
NOT_PERMITTED, NOT_IMPLEMENTED = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS

PR_SET_SECCOMP, SECCOMP_MODE_FILTER, SECCOMP_SET_MODE_FILTER, SPEC_ALLOW = 22, 2, 1, 4

Instruction = tuple[int, int, int, int]
"""Code, offset if true, offset if false, operand."""


def _argument(index: int, *, high: bool = False) -> Instruction:
    return (LOAD, 0, 0, 16 + 8 * index + (4 if high else 0))


def _number() -> Instruction:
    return (LOAD, 0, 0, 0)


def _on(number: int, body: Sequence[Instruction]) -> list[Instruction]:
    """Instructions for one call; they end by loading the number again, for what follows."""
    whole = [*body, _number()]
    return [(JUMP_EQUAL, 0, len(whole), number), *whole]


def _own_process_only(number: int, pid: int) -> list[Instruction]:
    return _on(number, [_argument(0), (JUMP_EQUAL, 1, 0, pid), (RETURN, 0, 0, NOT_PERMITTED)])


def program(machine: Machine, *, pid: int) -> tuple[Instruction, ...]:
    """The filter.

    Args:
        pid: of the process itself, which may signal nobody else.
    """
    column = 0 if machine == "x86_64" else 1
    filter_: list[Instruction] = [
        (LOAD, 0, 0, 4),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, KILL_PROCESS),
        _number(),
    ]
    if machine == "x86_64":
        filter_ += [(JUMP_AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, NOT_IMPLEMENTED)]
    threads_only = [
        _argument(0),
        (JUMP_ANY_BIT, 0, 1, CLONE_THREAD),
        (JUMP_ANY_BIT, 0, 1, CLONE_NAMESPACES),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]
    reads_only = [
        _argument(2),
        (JUMP_EQUAL, 0, 2, 0),
        _argument(2, high=True),
        (JUMP_EQUAL, 1, 0, 0),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]
    no_typing = [
        _argument(1),
        (JUMP_EQUAL, 1, 0, TIOCSTI),
        (JUMP_EQUAL, 0, 1, TIOCLINUX),
        (RETURN, 0, 0, NOT_PERMITTED),
    ]
    filter_ += _on(CLONE[machine], threads_only)
    filter_ += [(JUMP_EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, NOT_IMPLEMENTED)]  # the C library then uses clone
    filter_ += _own_process_only(KILL[machine], pid)
    filter_ += _own_process_only(TGKILL[machine], pid)
    filter_ += _on(PRLIMIT64[machine], reads_only)
    filter_ += _on(IOCTL[machine], no_typing)
    for numbers in DENIED.values():
        number = numbers[column]
        if number is not None:
            filter_ += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, NOT_PERMITTED)]
    return (*filter_, (RETURN, 0, 0, ALLOW))


def install(machine: Machine, *, pid: int) -> None:
    """Put the filter on this thread and all that it will start; needs no_new_privs.

    Raises:
        OSError: the kernel refuses it.
    """
    instructions = program(machine, pid=pid)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *i) for i in instructions))
    filter_ = ctypes.create_string_buffer(
        struct.pack("@HP", len(instructions), ctypes.addressof(code)), struct.calcsize("@HP")
    )
    try:
        system_call(SECCOMP[machine], SECCOMP_SET_MODE_FILTER, SPEC_ALLOW, filter_)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_)
