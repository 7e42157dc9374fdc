"""``pixelproof models``: the registered architectures."""

from __future__ import annotations

import click


@click.command("models")
@click.option("--json", "json_to", metavar="FILE|-", help="Write the list as JSON; - is standard output.")
def models_command(json_to: str | None) -> int:
    """List the architectures that --model takes, with parameters and challenge."""
    from pixelproof.console import Console
    from pixelproof.quiet import import_tensorflow

    console = Console(json_to)
    import_tensorflow()
    from pixelproof.models.registry import create, names, spec

    specs = [spec(name) for name in names()]
    parameters = {one.name: create(one.name).count_params() for one in specs}
    rows = [(one.name, f"{parameters[one.name]:,}", one.challenge or "any", one.source) for one in specs]
    console.table("Architectures", ("name", "parameters", "challenge", "source"), rows)
    console.next_step(f"convert-model --model {specs[0].name} --ckpt CHECKPOINT")
    console.json(
        {
            "schema_version": 1,
            "models": [
                {
                    "name": one.name,
                    "parameters": parameters[one.name],
                    "challenge": one.challenge,
                    "source": one.source,
                    "contract": one.contract,
                    "reads_tf1_checkpoints": one.tf1_names is not None,
                }
                for one in specs
            ],
        }
    )
    return 0
