"""Virtual time: links that follow traces, and what is run over them."""
