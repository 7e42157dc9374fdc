"""``pixelproof models``."""

from __future__ import annotations

import json
import subprocess
import sys

from click.testing import CliRunner

from pixelproof.models.commands import models_command
from pixelproof.models.registry import names


def test_the_table_names_every_architecture() -> None:
    result = CliRunner().invoke(models_command, [])
    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in names())
    assert "401,475" in result.stdout
    assert "pirm2018" in result.stdout


def test_json_is_one_document_on_standard_output() -> None:
    command = [sys.executable, "-c", "from pixelproof.cli import main; main()", "models", "--json", "-"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    listed = {model["name"]: model for model in json.loads(result.stdout)["models"]}
    assert tuple(listed) == names()
    assert listed["srcnn"]["parameters"] == 69_249
    assert listed["resnet_8_32"]["contract"]["channels"] == [3, 3]
    assert "resnet_8_32" in result.stderr
