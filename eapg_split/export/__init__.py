"""From trained torch modules to what ships."""
