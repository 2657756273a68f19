"""What this node knows of itself, and where from: one source a file, chosen by configuration."""
