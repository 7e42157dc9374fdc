"""What a track and a submission may ask for: frozen dataclasses, one for each table of a challenge file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pixelproof.contract import Contract

MAI2021_WHITE_LEVEL = 4 * 255.0

Format = Literal["pb", "savedmodel", "tflite", "onnx"]
Metric = Literal["runtime", "params", "flops", "activations", "memory"]


@dataclass(frozen=True)
class PeakMemory:
    """Cap of the worker's total resident memory (MiB) while it processes one height x width image.

    With a cap of infinity memory is measured, and limited by nothing.
    """

    total_rss_mib: float
    height: int
    width: int


@dataclass(frozen=True)
class Limits:
    """What a model may weigh; it must have fewer than ``parameters_below`` parameters."""

    model_mib: float | None = None
    peak_memory: PeakMemory | None = None
    parameters_below: int | None = None


@dataclass(frozen=True)
class Degrade:
    """Inputs made from the targets: shrunk by Pillow's 8-bit BICUBIC, enlarged again where asked."""

    factor: int
    restore_size: bool = True
    filter: Literal["pillow-bicubic"] = "pillow-bicubic"


@dataclass(frozen=True)
class Bayer:
    """Inputs are RAW mosaics, taken apart into four planes: see core/bayer.py."""

    cfa: Literal["RGGB", "BGGR", "GRBG", "GBRG"] = "RGGB"
    white_level: float = MAI2021_WHITE_LEVEL
    black_level: float = 0.0


@dataclass(frozen=True)
class Psnr:
    """Variant of PSNR: pixels dropped on each side, clip to [0, 1] first, round to 8 bit first."""

    crop_border: int = 0
    clip: bool = True
    round_to_8_bit: bool = False


@dataclass(frozen=True)
class MsSsim:
    """Variant of MS-SSIM, see measure/metrics.py; border and clip as in `Psnr`."""

    variant: Literal["scipy-fft", "tf"]
    crop_border: int = 0
    clip: bool = False


@dataclass(frozen=True)
class Fidelity:
    """Which pairs are compared, and how. Folders start at the challenge's data folder.

    An input bears its target's name, with ``input_suffix`` behind the stem. With ``modcrop`` a target that is larger
    than the output by less than the scale loses those rows and columns at the bottom and right.
    """

    targets: str
    psnr: Psnr
    inputs: str | None = None
    degrade: Degrade | None = None
    bayer: Bayer | None = None
    input_suffix: str = ""
    modcrop: bool = False
    ms_ssim: MsSsim | None = None


@dataclass(frozen=True)
class Runtime:
    """Images on which speed is measured, and the baseline graph (a name under validate/baselines).

    Without images an artificial one of that size is taken; without a baseline the model is timed alone. With
    ``every_image`` each image of the folder is timed at its own size, and the figure is the mean over them.
    """

    images: str | None = None
    baseline: str | None = None
    height: int = 720
    width: int = 1280
    every_image: bool = False


@dataclass(frozen=True)
class Gates:
    """What must be reached to be ranked at all: fidelity in dB."""

    psnr_db: float


@dataclass(frozen=True)
class ComplexityRules:
    """How a network's cost is counted: see measure/complexity.py for the conventions."""

    convention: Literal["ntire2022", "fvcore", "2xmac"]
    height: int = 256
    width: int = 256


@dataclass(frozen=True)
class Ranking:
    """How the reports of a track are ranked among each other; smaller figures are better.

    Attributes:
        metrics: by whose ranks; with one of them its own order counts.
        method: ``rank_sum`` adds the ranks; ``weighted`` adds ``weights[m] * exp(2 x / x of the baseline)``.
        weights: of ``weighted``, one for each metric.
    """

    metrics: tuple[Metric, ...]
    method: Literal["rank_sum", "weighted"] = "rank_sum"
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreWeights:
    """Weights of one score: fidelity in dB, MS-SSIM, speed-up."""

    alpha: float
    beta: float
    gamma: float


@dataclass(frozen=True)
class Scores:
    """total = alpha (PSNR - P0) + beta (MS-SSIM - S0) + gamma min(T_baseline / T_solution, cap)."""

    formula: Literal["pirm"]
    psnr_baseline: float
    ssim_baseline: float
    speedup_cap: float
    weights: Mapping[str, ScoreWeights]
    mos_may_replace_ms_ssim: bool = False


@dataclass(frozen=True)
class Mai2021Scores:
    """PSNR + factor * (target_s - clip(runtime)), the factor ``fast`` up to the target and ``slow`` beyond it.

    Section 2.4 of the challenge's report (A. Ignatov et al., 2021, arXiv 2105.07809): 20 and 0.5 around 0.2 s on
    the challenge's phone, runtime clipped to 0.03 s .. 5 s.
    """

    formula: Literal["mai2021"]
    target_s: float = 0.2
    fast: float = 20.0
    slow: float = 0.5
    shortest_s: float = 0.03
    longest_s: float = 5.0
    device: str = ""


@dataclass(frozen=True)
class Mai2022Scores:
    """2 ** (2 * PSNR) / (constant * runtime in ms).

    The final score of MAI 2022's learned smartphone ISP (A. Ignatov et al., 2022, arXiv 2211.03885); its report
    calls C a constant and doesn't print it, so a challenge file has to.
    """

    formula: Literal["mai2022"]
    constant: float
    device: str = ""


@dataclass(frozen=True)
class Companion:
    """A second file of the same network, on which fidelity is measured: it takes any size, as the judged one doesn't.

    Attributes:
        member: its name in the zip; it lies beside the judged file under this name, unless the call says otherwise.
        tolerance: largest absolute difference that the two may have on one input of the judged file's size.
        quantised_psnr_db: where one of them computes in whole numbers, their outputs on that input must be so close
            instead: two calibrations of one network give other roundings.
    """

    member: str
    tolerance: float = 1e-4
    quantised_psnr_db: float = 40.0


@dataclass(frozen=True)
class Results:
    """What is handed in where pictures are judged, and no model: one for each target, under the target's name.

    Attributes:
        count: how many.
        extension: of their names; the pixels are 8-bit RGB.
        height, width: of each picture; of its target where they are None.
        zip_mib: most that the zip may weigh.
        folder_depth: most folders that may stand around the pictures in the zip.
    """

    count: int
    extension: Literal[".png"] = ".png"
    height: int | None = None
    width: int | None = None
    zip_mib: float | None = None
    folder_depth: int = 0


@dataclass(frozen=True)
class Track:
    """One ranking inside a challenge, of models; with ``results`` of pictures."""

    title: str
    contract: Contract
    limits: Limits = field(default_factory=Limits)
    fidelity: Fidelity | None = None
    runtime: Runtime | None = None
    scores: Scores | Mai2021Scores | Mai2022Scores | None = None
    companion: Companion | None = None
    gates: Gates | None = None
    complexity: ComplexityRules | None = None
    ranking: Ranking | None = None
    results: Results | None = None


@dataclass(frozen=True)
class Mail:
    """A message to the organisers; {track}, {team_id}, {team_name}, {link}, {members} are filled in."""

    to: str
    subject: str
    text: str


@dataclass(frozen=True)
class Submission:
    """What is handed in: the zip, the checks that must have run, the mails that go out.

    Attributes:
        per_day: judged submissions that one team may have a day (UTC) and track; failed ones don't count.
        counts: which of a team's successful submissions is ranked, the last or the best.
    """

    formats: tuple[Format, ...]
    model_member: str
    required_checks: tuple[str, ...]
    mail: Mail | None = None
    registration: Mail | None = None
    per_day: int | None = None
    counts: Literal["last", "best"] = "last"
