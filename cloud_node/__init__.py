"""The cloud tier's daemon: computes segments that a device hands over."""
