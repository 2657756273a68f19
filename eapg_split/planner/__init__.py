"""Pure decisions: from a workload and what is known of the nodes to a plan."""
