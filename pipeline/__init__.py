"""Tocsin turns the events on a message bus into actions."""

__version__ = "0.1.0"
