"""What Segue is measured against: scripts as a competent practitioner writes them today, without Segue.

Nothing in this folder imports `segue`. README.md says how each peer was tuned.
"""

import os

from benchmarks.peers.torchvision_here import define_missing_operators

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for its newest version at import
define_missing_operators()
