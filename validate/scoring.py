"""A challenge's formula: figures in, scores out."""

from __future__ import annotations

from collections.abc import Mapping

from pixelproof.challenge import Scores


def pirm_total(*, psnr_db: float, ms_ssim: float, speedup: float, rules: Scores) -> Mapping[str, float]:
    """Every score of a track by name.

    total = alpha (PSNR - P0) + beta (SSIM - S0) + gamma min(T_baseline / T_solution, cap): README of the public
    repository aiff22/ai-challenge, section 6; the cap is the challenge's rule of the final ranking.

    Args:
        ms_ssim: MS-SSIM, or the mean opinion score that replaces it.
        speedup: T_baseline / T_solution.
    """
    gained = min(speedup, rules.speedup_cap)
    return {
        name: w.alpha * (psnr_db - rules.psnr_baseline)
        + w.beta * (ms_ssim - rules.ssim_baseline)
        + w.gamma * gained
        for name, w in rules.weights.items()
    }
