"""Which range of values a network was made for, read off trials in other ranges; part of the check on values."""

from __future__ import annotations

from pixelproof.report import Evidence, RangeTrial

Range = tuple[float, float]

UNIT: Range = (0.0, 1.0)
BYTES: Range = (0.0, 255.0)
SIGNED: Range = (-1.0, 1.0)
TWICE: Range = (0.0, 1 / 255)
"""The inverse of `BYTES`: a network of [0, 1] around which somebody put a scaling to 0..255."""
BEYOND: dict[Range, Range] = {BYTES: (0.0, 255.0**2), TWICE: (0.0, 1 / 255.0**2)}
"""The ranges beyond these two."""

LEAST_GAIN_DB = 1.0
MEAN_GAIN_DB = 2.0
SIGNED_GAIN_DB = 4.0
PEAK_DB = 0.5
FAR_DB = 6.0
CORRELATION = 0.7

_NAMES = {UNIT: "0..1", BYTES: "0..255", SIGNED: "-1..1", TWICE: "0..1/255"}
_REMEDIES = {
    (BYTES, BYTES): (
        "It was trained on 0..255: multiply the input by 255 and divide the output by 255, inside the graph. In "
        "Keras: Rescaling(255) first, Rescaling(1 / 255) last; convert-model does it for the efficient networks with "
        "--data-range 255."
    ),
    (TWICE, TWICE): (
        "It was trained on 0..1, and something inside the graph multiplies by 255: take that out, and the division "
        "at its end; with convert-model: --data-range 1."
    ),
    (SIGNED, SIGNED): (
        "It was trained on -1..1: put 2 x - 1 before it and y / 2 + 0.5 behind it, inside the graph. In Keras: "
        "Rescaling(2, -1) first, Rescaling(0.5, 0.5) last."
    ),
    (BYTES, UNIT): (
        "It divides its input by 255 itself, and images come as 0..1 already: take that division out (in Keras a "
        "first Rescaling(1 / 255)), or put a multiplication by 255 before it."
    ),
    (UNIT, BYTES): (
        "It takes 0..1 and gives 0..255: divide the output by 255 inside the graph. In Keras: "
        "Rescaling(1 / 255) last."
    ),
    (UNIT, SIGNED): (
        "It takes 0..1 and gives -1..1: end the graph with y / 2 + 0.5. In Keras: Rescaling(0.5, 0.5) last."
    ),
}


def is_better(trial: RangeTrial) -> bool:
    """Whether the pictures are clearly better in a range than in [0, 1].

    Measured: RFDN and RLFN of 0..255 gain 2.9 and 3.2 dB in the mean of two photographs, IMDN of [0, 1] inside a
    scaling to 0..255 gains 8.2 dB; official networks in their own range lose 0.2 to 20 dB. In [-1, 1] a network's
    brightness shifts too, so more is asked for there.
    """
    wanted = SIGNED_GAIN_DB if trial.input_range == SIGNED else MEAN_GAIN_DB
    return (
        trial.least_gain_db >= LEAST_GAIN_DB
        and trial.mean_gain_db >= wanted
        and trial.correlation >= CORRELATION
    )


def other_range(evidence: Evidence, *, left_range: bool) -> RangeTrial | None:
    """The trial in the range that the network was made for; None where that is [0, 1] or can't be told.

    A poor network of [0, 1], one that blurs too much, say, may gain in 0..255 as well, where its biases count for
    little; it gains still more beyond. So the range must be better than the one beyond it, or by far than [0, 1].

    Args:
        left_range: the output leaves [0, 1] so far that another range of the output alone is worth a look: of one
            that keeps to it, a brighter or darker picture may well be nearer to the target.
    """
    trials = evidence.range_trials or ()
    psnr_db = {(trial.input_range, trial.output_range): trial.psnr_db for trial in trials}

    def is_own(trial: RangeTrial) -> bool:
        if trial.input_range == UNIT:
            return left_range
        if trial.output_range != trial.input_range or trial.mean_gain_db >= FAR_DB:
            return True
        beyond = BEYOND.get(trial.input_range, trial.input_range)
        return beyond == trial.input_range or trial.psnr_db >= psnr_db.get((beyond, beyond), 0.0) + PEAK_DB

    candidates = [
        trial
        for trial in trials
        if trial.input_range not in BEYOND.values() and is_better(trial) and is_own(trial)
    ]
    return max(candidates, key=lambda trial: trial.psnr_db, default=None)


def told(trial: RangeTrial) -> str:
    """What the trial found, in a few words."""
    given, taken = _NAMES[trial.input_range], _NAMES[trial.output_range]
    how = f"given and taken as {given}" if given == taken else f"given as {given} and taken as {taken}"
    pictures = "picture" if trial.images == 1 else "pictures"
    before = trial.psnr_db - trial.mean_gain_db
    return f"{how}: {trial.psnr_db:.2f} dB and not {before:.2f} on {trial.images} {pictures} of the track"


def remedy(trial: RangeTrial) -> str:
    """What to do."""
    return _REMEDIES[trial.input_range, trial.output_range]
