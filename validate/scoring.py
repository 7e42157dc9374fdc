"""A challenge's formula: figures in, scores out."""

from __future__ import annotations

from collections.abc import Mapping

from pixelproof.challenge import Mai2021Scores, Mai2022Scores, Scores


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


def mai2021_total(*, psnr_db: float, runtime_s: float, rules: Mai2021Scores) -> float:
    """The final score of MAI 2021's learned smartphone ISP; see `Mai2021Scores` for formula and source.

    The factor is chosen by the runtime as it is, the clip holds for the difference alone.

    Args:
        runtime_s: of one full HD picture, seconds.
    """
    factor = rules.fast if runtime_s <= rules.target_s else rules.slow
    return psnr_db + factor * (rules.target_s - min(max(runtime_s, rules.shortest_s), rules.longest_s))


def mai2022_total(*, psnr_db: float, runtime_ms: float, rules: Mai2022Scores) -> float:
    """The final score of MAI 2022's learned smartphone ISP; see `Mai2022Scores` for formula and source."""
    return float(2.0 ** (2.0 * psnr_db) / (rules.constant * runtime_ms))
