"""The commands behind the published figures."""
