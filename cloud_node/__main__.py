"""`python -m cloud_node`."""

import sys

from cloud_node.app import main

if __name__ == "__main__":
    sys.exit(main())
