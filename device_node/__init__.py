"""The device tier's daemon: accepts jobs, computes what must stay here, and hands the rest to its peers."""
