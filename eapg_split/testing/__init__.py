"""For people who write policies of their own: what every policy owes, as a function to call from a test."""
