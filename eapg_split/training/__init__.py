"""Training recipe of the shipped model: the procedural world, the networks in torch, the losses."""
