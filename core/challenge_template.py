"""A commented challenge file to start from; lines that begin with ``#`` and no space are optional keys."""

from __future__ import annotations

import re

TEMPLATE = """\
# The rules of a contest. Check them with: pixelproof challenges check FILE
# Lines that start with # and no space are optional: remove the # to use them.
id = "my-challenge"
title = "What the contest is called"
url = "https://example.org/rules"
# The folder, below --data's parent or PIXELPROOF_DATA, that all paths in this file start from.
data_folder = "my-challenge"
#honour = ["No external data."]     # rules that no file can show to be kept: told, not judged

# One table per ranking. Give more by repeating [tracks.NAME] and what follows it.
[tracks.main]
title = "What this ranking is about"

# What a model's tensors must look like.
[tracks.main.contract]
input = "input:0"
output = "output:0"
channels = [3, 3]              # of the input, of the output
scale = 1                      # output size over input size
warn_range = [0.0, 1.0]        # output values that leave it give a warning
fail_range = [-0.25, 1.25]     # output values that leave it break the rule
any_resolution = true          # whether every height and width must be taken
# fixed_size = [544, 960] goes with any_resolution = false: the size that the file must state.
#layouts = ["NHWC"]             # and "NCHW", for .onnx of PyTorch
#dtypes = ["float32"]           # types that the ends may have
minimum_size = 1               # smallest height and width
size_multiple = 1              # height and width are multiples of this

# What a model may weigh.
[tracks.main.limits]
#model_mib = 100
#parameters_below = 2_000_000   # needs [tracks.main.complexity]
#peak_memory = { total_rss_mib = 3584, height = 720, width = 1280 }

# Which pairs are compared, and how. Inputs are a folder of their own, or made from the targets.
[tracks.main.fidelity]
targets = "targets"
inputs = "inputs"
#input_suffix = ""              # inputs are named as targets, with this behind: "x4" for 0801x4.png
#modcrop = false                # cut targets to multiples of the scale
# Instead of inputs: degrade = { factor = 4, restore_size = true, filter = "pillow-bicubic" }
# With channels = [4, 3] inputs are RAW: bayer = { cfa = "RGGB", white_level = 1020, black_level = 0 }
psnr = { crop_border = 0, clip = true, round_to_8_bit = false }
#ms_ssim = { variant = "tf", crop_border = 0, clip = true }     # or "scipy-fft"

# A second file of the same network that takes any size, on which fidelity is then measured.
#[tracks.main.companion]
#member = "model_none.tflite"
#tolerance = 1e-4
#quantised_psnr_db = 40.0

# Images on which speed is compared with a baseline; without a baseline the model is timed alone.
#[tracks.main.runtime]
#images = "HD_res"
#baseline = "srcnn"
#height = 720
#width = 1280
# every_image = true times each image at its own size; the mean counts. Then no baseline.

# Fidelity that must be reached.
#[tracks.main.gates]
#psnr_db = 29.0

# What the network costs, and how reports are ranked by it: rank_sum, or weighted with weights.
#[tracks.main.complexity]
#convention = "ntire2022"       # or "fvcore", "2xmac"
#height = 256
#width = 256

#[tracks.main.ranking]
#metrics = ["runtime", "params", "flops"]
#method = "rank_sum"
# weights = { runtime = 0.7, flops = 0.15, params = 0.15 } go with method = "weighted".

# total = alpha (PSNR - psnr_baseline) + beta (MS-SSIM - ssim_baseline) + gamma min(speed-up, speedup_cap)
#[tracks.main.scores]
#formula = "pirm"
#psnr_baseline = 26.5
#ssim_baseline = 0.94
#speedup_cap = 4.0
#mos_may_replace_ms_ssim = false
# Other formulas: "mai2021", PSNR + factor (target_s - runtime), with target_s, fast, slow, shortest_s, longest_s;
# "mai2022", 2^(2 PSNR) / (constant runtime_ms), with constant. Both may name the challenge's device.

#[tracks.main.scores.weights]
#total = { alpha = 4, beta = 100, gamma = 1.0 }

# Pictures in place of a model: what is handed in on such a track. It has no limits, runtime, scores and the like.
#[tracks.pictures]
#title = "Results of the test images"
#contract = { scale = 4 }
#fidelity = { targets = "targets", inputs = "inputs", psnr = { round_to_8_bit = true } }

#[tracks.pictures.results]
#count = 400
#extension = ".png"
#height = 512                   # without height and width each is as large as its target
#width = 512
#zip_mib = 30
#folder_depth = 0               # most folders around them in the zip

# What is handed in, and which checks must have run before it is packed.
[submission]
formats = ["pb"]               # any of pb, savedmodel, tflite, onnx
model_member = "model.pb"      # the model's name inside the zip
required_checks = ["loads", "names", "tensors", "finite", "range"]
#per_day = 2                   # passed ones a team may have a day (UTC) and track
#counts = "last"                # or "best": which of a team's submissions is ranked

# {track}, {team_id}, {team_name}, {link} and {members} are filled in.
#[submission.mail]
#to = "organisers@example.org"
#subject = "[Track {track}] [{team_id}] [{team_name}] Submission"
#text = "Link to the model: {link}"

#[submission.registration]
#to = "organisers@example.org"
#subject = "Registration"
#text = "{team_name}: {members}"
"""


def scaffold(text: str, *, identifier: str) -> str:
    """A challenge file's text under another id."""
    return re.sub(r"^id\s*=.*$", f'id = "{identifier}"', text, count=1, flags=re.MULTILINE)
