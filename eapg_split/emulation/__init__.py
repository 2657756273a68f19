"""A small scenario with the real daemons: processes behind links of its rates and delays, in real time."""
