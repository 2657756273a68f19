"""Latents to bytes and back, numpy and zstd only."""
