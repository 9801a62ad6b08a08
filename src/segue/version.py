"""The one place that says which Segue this is."""

__version__ = "0.1.0"
