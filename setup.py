"""Packaging: the folders of the checkout become the one import name ``pixelproof``."""

from setuptools import setup

PACKAGES = {
    "pixelproof": "core",
    "pixelproof.challenges": "core/challenges",
    "pixelproof.samples": "core/samples",
    "pixelproof.measure": "measure",
    "pixelproof.measure.cost": "measure/cost",
    "pixelproof.measure.sandbox": "measure/sandbox",
    "pixelproof.measure.scan": "measure/scan",
    "pixelproof.models": "models",
    "pixelproof.models.checkpoints": "models/checkpoints",
    "pixelproof.models.training": "models/training",
    "pixelproof.tflite": "tflite",
    "pixelproof.tflite.inspection": "tflite/inspection",
    "pixelproof.convert": "convert",
    "pixelproof.convert.restore": "convert/restore",
    "pixelproof.validate": "validate",
    "pixelproof.validate.checks": "validate/checks",
    "pixelproof.validate.baselines": "validate/baselines",
    "pixelproof.submit": "submit",
}

setup(
    packages=list(PACKAGES),
    package_dir=PACKAGES,
    include_package_data=False,
    package_data={
        "pixelproof": ["py.typed"],
        "pixelproof.challenges": ["*.toml", "*.json"],
        "pixelproof.samples": ["**/*.jpg", "**/*.png", "**/*.md"],
        "pixelproof.models.training": ["recipes/*.toml"],
        "pixelproof.validate.baselines": ["**/*"],
    },
)
