"""The rules of the challenges, as data (one TOML file each)."""
