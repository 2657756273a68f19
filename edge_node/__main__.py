"""`python -m edge_node`."""

import sys

from edge_node.app import main

if __name__ == "__main__":
    sys.exit(main())
