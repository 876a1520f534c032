"""Pictures as part of a build: described in YAML, made through the Wiro API, paid for once."""

__version__ = "0.1.0"
