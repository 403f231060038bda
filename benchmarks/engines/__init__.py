"""Engines side by side on the same model and the same requests: seconds, energy, memory, tokens and answers."""
