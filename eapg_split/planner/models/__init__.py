"""Models of what cannot be measured: heat, battery, radio, what a node takes on. Pure, for planner and simulator."""
