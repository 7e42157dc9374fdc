"""All rewrites, in the order in which they are tried: what simplifies first, what rearranges last."""

from __future__ import annotations

from collections.abc import Mapping

from pixelproof.convert.optimize.depth_to_space import DepthToSpace
from pixelproof.convert.optimize.fill_last import FillLast
from pixelproof.convert.optimize.fold_affine import FoldAffine
from pixelproof.convert.optimize.fold_constants import FoldConstants
from pixelproof.convert.optimize.instance_norm import InstanceNorm
from pixelproof.convert.optimize.merge_branches import MergeBranches
from pixelproof.convert.optimize.merge_chain import MergeChain
from pixelproof.convert.optimize.merge_padding import MergePadding
from pixelproof.convert.optimize.network import Network
from pixelproof.convert.optimize.pack_first import PackFirst
from pixelproof.convert.optimize.pack_last import PackLast
from pixelproof.convert.optimize.rewrite import Rewrite
from pixelproof.convert.optimize.scale_before import ScaleBefore
from pixelproof.convert.optimize.scale_through import ScaleThrough

REWRITES: tuple[Rewrite, ...] = (
    FoldConstants(),
    DepthToSpace(),
    MergePadding(),
    ScaleBefore(),
    ScaleThrough(),
    MergeBranches(),
    FoldAffine(),
    MergeChain(),
    InstanceNorm(),
    PackLast(),
    FillLast(),
    PackFirst(),
)
ALTERNATIVES: Mapping[str, str] = {"fill_last": "pack_last"}
"""A rewrite that replaces the one before it, where it is faster than that."""
MOST_STEPS = 10_000


def applied_everywhere(rewrite: Rewrite, network: Network) -> tuple[str, ...]:
    """Apply a rewrite until it finds no more places; returns the places, in order."""
    done: list[str] = []
    while len(done) < MOST_STEPS:
        sites = [site for site in rewrite.sites(network) if site not in done]
        if not sites:
            break
        rewrite.apply(network, sites[0])
        done.append(sites[0])
    return tuple(done)
