"""The command ``train-model isp``."""

from __future__ import annotations

from typing import Any

import click

_EPILOG = (
    "2021's way works too: train-model isp model_dir=models/punet/ num_maps_base=8 restore_iter=1000. Exit codes as "
    "of train-model; docs/training.md says more."
)
_COUNT = click.IntRange(min=1)


@click.command("isp", epilog=_EPILOG)
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--dataset-dir", "--dataset_dir", help="Folder with train/ and val/ [raw_images/].")
@click.option("--model-dir", "--model_dir", help="Folder for checkpoints, logs and the run [models/].")
@click.option("--result-dir", "--result_dir", help="Folder for pictures with --save-mid-imgs [results/].")
@click.option(
    "--vgg-dir",
    "--vgg_dir",
    help="VGG-19's weights [vgg_pretrained/imagenet-vgg-verydeep-19.mat]; '' trains without the content loss.",
)
@click.option("--dslr-dir", "--dslr_dir", help="Pictures, in train/ and val/ [fujifilm/].")
@click.option("--phone-dir", "--phone_dir", help="RAW mosaics, in train/ and val/ [mediatek_raw/].")
@click.option("--arch", help="Architecture [punet].")
@click.option("--num-maps-base", "--num_maps_base", type=_COUNT, help="Maps of its first level [16].")
@click.option("--inst-norm/--no-inst-norm", default=None, help="Normalise each image [no].")
@click.option(
    "--restore-iter",
    "--restore_iter",
    type=int,
    help="Iteration to begin from; 0: none [newest in model_dir].",
)
@click.option("--patch-w", "--patch_w", type=_COUNT, help="Width of mosaics and pictures [256].")
@click.option("--patch-h", "--patch_h", type=_COUNT, help="Height of mosaics and pictures [256].")
@click.option("--batch-size", "--batch_size", type=_COUNT, help="Pairs a step [32].")
@click.option(
    "--train-size",
    "--train_size",
    type=_COUNT,
    help="Pairs drawn at a time, anew every 1000 iterations [5000].",
)
@click.option("--learning-rate", "--learning_rate", type=float, help="Of Adam [5e-5].")
@click.option(
    "--eval-step", "--eval_step", type=_COUNT, help="Iterations between measurements and checkpoints [1000]."
)
@click.option(
    "--num-train-iters",
    "--num_train_iters",
    type=_COUNT,
    help="Last iteration, restored ones included [100000].",
)
@click.option(
    "--save-mid-imgs/--no-save-mid-imgs", default=None, help="Write pictures at each measurement [no]."
)
@click.option(
    "--augment",
    type=click.Choice(["bayer", "public", "none"]),
    help="bayer keeps colours in place; public turns packed planes, as 2021's code did [bayer].",
)
@click.option("--seed", type=click.IntRange(min=0), help="Of all that is random [0].")
@click.option("--cuda", "device", flag_value="cuda", help="Fail where there is no GPU.")
@click.option("--cpu", "device", flag_value="cpu", help="Leave GPUs alone.")
@click.option("--threads", type=_COUNT, help="Of the processor [the backend's choice].")
@click.option("--jobs", type=_COUNT, help="Processes that read pairs [one a core].")
@click.option("--json", "json_to", metavar="FILE|-", help="Write history and figures as JSON.")
def train_isp(
    *,
    words: tuple[str, ...],
    device: Any,
    threads: int | None,
    jobs: int | None,
    json_to: str | None,
    **given: Any,
) -> int:
    """Train MAI 2021's learned ISP with the options of that challenge.

    At each measurement it leaves in model_dir a TF1 checkpoint with .meta ([arch]_iteration_[iter].ckpt, for ckpt2pb
    and 2021's tools) and a line in logs_[restore_iter]-[num_train_iters].txt. The run's folder stands beside them:
    train-model resume goes on with it exactly.

    \b
    Examples:
      train-model isp --dataset-dir raw_images --num-maps-base 8
      train-model isp model_dir=models/punet_MAI/ restore_iter=100000 num_train_iters=110000
    """
    from pixelproof.console import Console
    from pixelproof.models.training.isp.options import IspOptions, isp_recipe, with_words
    from pixelproof.models.training.isp.session import train_recipe
    from pixelproof.models.training.run.backend import Hardware

    chosen = {name: value for name, value in given.items() if value is not None}
    recipe = isp_recipe(with_words(IspOptions(**chosen), words))
    hardware = Hardware(device or "auto", threads)
    return train_recipe(recipe, console=Console(json_to), hardware=hardware, jobs=jobs)
