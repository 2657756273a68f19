"""The edge tier's daemon: computes segments that a device hands over."""
