"""Estimates from gold sharpened by beliefs: influence functions, and intervals that stay valid."""
