"""What the machine can do at most: its float32 matrix products, and how fast it copies memory.

    python -m benchmarks.hardware [--side 2048] [--copy-mib 512] [--rounds 9]

Both are the best of several rounds, since a limit is what nothing exceeds: a product of two square matrices counts
2 n^3 operations, a copy the bytes that it reads and those that it writes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.apart import apart

SIDE = 2048
COPY_MIB = 512
ROUNDS = 9


@dataclass(frozen=True)
class Rates:
    """The limits.

    Attributes:
        tensorflow_gflops: float32 matrix products of TensorFlow with oneDNN, GFLOP/s.
        numpy_gflops: the same of NumPy's BLAS.
        copy_gib_s: bytes read and written by a copy larger than the caches, GiB/s.
        cores: how many were used.
        side: of the matrices.
    """

    tensorflow_gflops: float
    numpy_gflops: float
    copy_gib_s: float
    cores: int
    side: int


def measured_rates(*, cores: int, side: int = SIDE, copy_mib: int = COPY_MIB, rounds: int = ROUNDS) -> Rates:
    """Measure them, each in a process of its own.

    Args:
        cores: threads for each.
        side: of the square matrices.
        copy_mib: of the source; the target is as large.
        rounds: the best one counts.
    """
    return Rates(
        tensorflow_gflops=apart(tensorflow_gflops, cores=cores, side=side, rounds=rounds),
        numpy_gflops=apart(numpy_gflops, side=side, rounds=rounds),
        copy_gib_s=apart(copy_gib_s, cores=cores, mib=copy_mib, rounds=rounds),
        cores=cores,
        side=side,
    )


def tensorflow_gflops(*, cores: int, side: int, rounds: int) -> float:
    """GFLOP/s of `tf.matmul` in a session, as frozen graphs run; imports TensorFlow."""
    from pixelproof.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    v1 = tf.compat.v1
    config = v1.ConfigProto(intra_op_parallelism_threads=cores, inter_op_parallelism_threads=1)
    with tf.Graph().as_default() as graph:
        a, b = (v1.get_variable(name, initializer=m) for name, m in zip("ab", _matrices(side), strict=True))
        product = tf.matmul(a, b).op
        prepare = v1.global_variables_initializer()
    with v1.Session(graph=graph, config=config) as session:
        session.run(prepare)
        return _gflops(lambda: session.run(product), side=side, rounds=rounds)


def numpy_gflops(*, side: int, rounds: int) -> float:
    """GFLOP/s of `numpy.matmul`, on as many threads as its BLAS takes by itself."""
    a, b = _matrices(side)
    out = np.empty_like(a)
    return _gflops(lambda: np.matmul(a, b, out=out), side=side, rounds=rounds)


def copy_gib_s(*, cores: int, mib: int, rounds: int) -> float:
    """GiB/s of a copy that is shared among threads."""
    source = np.ones(mib << 18, np.float32)
    target = np.zeros_like(source)
    pieces = list(zip(np.array_split(target, cores), np.array_split(source, cores), strict=True))
    with ThreadPoolExecutor(cores) as pool:
        seconds = _best(lambda: list(pool.map(lambda piece: np.copyto(*piece), pieces)), rounds=rounds)
    return 2 * source.nbytes / seconds / 2**30


def _matrices(side: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.random((side, side), np.float32), random.random((side, side), np.float32)


def _gflops(product: Callable[[], object], *, side: int, rounds: int) -> float:
    return 2 * side**3 / _best(product, rounds=rounds) / 1e9


def _best(call: Callable[[], object], *, rounds: int) -> float:
    call()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Measure and print."""
    from pixelproof.environment import cpu_name, usable_cores

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--copy-mib", type=int, default=COPY_MIB)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    found = measured_rates(
        cores=usable_cores(), side=given.side, copy_mib=given.copy_mib, rounds=given.rounds
    )
    print(f"{cpu_name()}, {found.cores} cores")
    print(f"float32 product of {found.side}x{found.side}: TensorFlow {found.tensorflow_gflops:.0f} GFLOP/s, "
          f"NumPy {found.numpy_gflops:.0f} GFLOP/s")  # fmt: skip
    print(f"copy of {given.copy_mib} MiB: {found.copy_gib_s:.1f} GiB/s read and written")


if __name__ == "__main__":
    main()
