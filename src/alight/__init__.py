"""Alight: event-driven inference on the AWS wire, for real."""

__version__ = "0.1.0"
