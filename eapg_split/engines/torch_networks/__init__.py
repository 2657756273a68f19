"""The trained networks as torch modules: what the torch engine runs, the recipe trains and the export traces."""
