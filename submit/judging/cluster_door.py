"""The way to a scheduler: who is there, by what keys, and whether its workers can judge."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pixelproof import __version__
from pixelproof.errors import CallError, EnvironmentFault
from pixelproof.submit.judging.job import Terms

CONNECT_S = 5.0
TIMING = "timing"
_START = f"Start each as: dask worker ADDRESS --nworkers 1 --nthreads N --resources {TIMING}=1"

Tls = tuple[Path | None, Path | None, Path | None]
"""Certificate of the authority, our certificate, our key."""


def import_distributed() -> Any:
    """The package, quiet.

    Raises:
        EnvironmentFault: not installed.
    """
    try:
        import distributed
    except ImportError as error:
        remedy = "Install it: pip install 'pixelproof[cluster]'."
        raise EnvironmentFault(
            "--scheduler needs the extra cluster", found=str(error), remedy=remedy
        ) from error
    logging.getLogger("distributed").setLevel(logging.ERROR)
    return distributed


@contextmanager
def connected(distributed: Any, address: str, jobs: int, tls: Tls) -> Iterator[Any]:
    """A client; of ``local`` with a scheduler and a worker in this process, which no port leads to.

    Raises:
        CallError: no address, or TLS files that don't go with it.
        EnvironmentFault: nobody there.
    """
    security = _security(distributed, address, tls)
    if address != "local":
        _knock(distributed, address, security)
    with ExitStack() as stack:
        target: Any = address
        try:
            if address == "local":
                made = distributed.LocalCluster(
                    n_workers=1,
                    threads_per_worker=jobs,
                    processes=False,
                    resources={TIMING: 1},
                    memory_limit=0,
                    dashboard_address=None,
                )
                target = stack.enter_context(made)
            client = distributed.Client(
                target, timeout=CONNECT_S, security=security, set_as_default=False, name="pixelproof"
            )
        except (OSError, ValueError, TypeError) as error:
            found = f"{address}: {str(error) or type(error).__name__}"
            remedy = (
                "Start one with: dask scheduler. Its first lines say its address, such as tcp://host:8786."
            )
            raise EnvironmentFault("The scheduler must be reachable", found=found, remedy=remedy) from error
        yield stack.enter_context(client)


def _knock(distributed: Any, address: str, security: Any) -> None:
    """Ask who is there, before a client waits for an answer without end.

    Raises:
        CallError: no address.
        EnvironmentFault: nobody, or somebody else.
    """
    parts = urlsplit(address)
    try:
        is_address = parts.scheme in ("tcp", "tls") and bool(parts.hostname) and parts.port is not None
    except ValueError:
        is_address = False
    if not is_address:
        remedy = "For example tcp://host:8786, or local."
        raise CallError("--scheduler must be an address", found=repr(address), remedy=remedy)

    async def who() -> str:
        how = (security or distributed.Security()).get_connection_args("client")
        async with distributed.rpc(address, connection_args=how, timeout=CONNECT_S) as door:
            return str((await door.identity())["type"])

    try:
        kind = asyncio.run(asyncio.wait_for(who(), 2 * CONNECT_S))
    except Exception as error:
        raise _unreachable(address, error) from error
    if kind != "Scheduler":
        raise _unreachable(address, ValueError(f"a {kind}"))


def _unreachable(address: str, error: Exception) -> EnvironmentFault:
    found = f"{address}: {str(error) or type(error).__name__}"
    remedy = "Start one with: dask scheduler. Its first lines say its address, such as tcp://host:8786."
    return EnvironmentFault("The scheduler must be reachable", found=found, remedy=remedy)


def _security(distributed: Any, address: str, tls: Tls) -> Any:
    given = [path for path in tls if path is not None]
    if address.startswith("tls://") != bool(given):
        found = f"{address} {'with' if given else 'without'} TLS files"
        remedy = "Give --tls-ca-file, --tls-cert and --tls-key with a tls:// address."
        raise CallError("A tls:// scheduler and TLS files must go together", found=found, remedy=remedy)
    if not given:
        return None
    for path in given:
        if not path.is_file():
            raise CallError("A TLS file must exist", found=f"no file {path}")
    authority, certificate, key = (None if path is None else str(path) for path in tls)
    return distributed.Security(
        tls_ca_file=authority, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
    )


def check_workers(client: Any, terms: Terms, seen: Sequence[Path]) -> None:
    """Every worker must time alone, run this version, and see the same files.

    Raises:
        EnvironmentFault: one doesn't.
    """
    from pixelproof.submit.judging.cluster_worker import look

    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        raise EnvironmentFault("A scheduler must have workers", found="none", remedy=f"{_START}.") from error
    workers = client.scheduler_info(n_workers=-1)["workers"]
    without = [name for name, about in workers.items() if about.get("resources", {}).get(TIMING) != 1]
    if without:
        rule = f"A worker must have the resource {TIMING} once"
        raise EnvironmentFault(rule, found=f"not so: {', '.join(without)}", remedy=f"{_START}.")
    sizes = [(str(path), path.stat().st_size) for path in seen]
    try:
        told = client.run(look, terms.challenge, terms.rules_sha256, sizes)
    except Exception as error:
        remedy = f"Install pixelproof {__version__} on every worker."
        found = f"{type(error).__name__}: {error}"
        raise EnvironmentFault("A worker must have pixelproof", found=found, remedy=remedy) from error
    for name, about in told.items():
        if about["version"] != __version__:
            remedy = f"Install pixelproof {__version__} there."
            found = f"{about['version']} on {name}, {__version__} here"
            raise EnvironmentFault(
                "A worker must have this version of pixelproof", found=found, remedy=remedy
            )
        if about["problem"]:
            remedy = "Put rules, data and submissions on a file system that all hosts share, under one path."
            found = f"{about['problem']}, on {name}"
            raise EnvironmentFault("A worker must see the files that are judged", found=found, remedy=remedy)
