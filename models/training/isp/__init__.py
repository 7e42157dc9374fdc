"""The learned ISP of MAI 2021: its data, its TF1 checkpoints, its logs."""
