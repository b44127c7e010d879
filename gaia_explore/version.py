"""The package's version, for itself too: where it is only on the path, no installer has left one to ask for."""

__version__ = "0.1.0"
