"""Which walls stand on this machine: starts a worker, lets it lock itself in, and prints the layers as JSON.

Run as a program (``python -m pixelproof.measure.sandbox.probe``), so that ``doctor`` imports none of this.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from pixelproof.measure.worker import Worker


def main() -> None:
    """Print one JSON document."""
    with Worker(threads=1) as worker:
        worker.ready()
    sys.stdout.write(json.dumps([asdict(layer) for layer in worker.sandbox]))


if __name__ == "__main__":
    main()
