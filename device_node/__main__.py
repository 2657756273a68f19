"""`python -m device_node`."""

import sys

from device_node.app import main

if __name__ == "__main__":
    sys.exit(main())
