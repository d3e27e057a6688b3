"""Probabilities made honest, by gold or by partial evidence; and sets that hold the class."""
