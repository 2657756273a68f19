"""Accepted jobs of a device, from the promise to the whole video: they outlive the daemon that accepted them."""
