"""Networks by name: any encoder under any architecture, colours in, logits out.

network = build(NetworkSettings(architecture="unet", encoder="resnet18"), target, channels=3)
network(images).logits
"""

from __future__ import annotations

from segue.networks.build import build as build
from segue.networks.build import demand_known as demand_known
from segue.networks.build import merge_adapters as merge_adapters
from segue.networks.matched import Matched as Matched
from segue.networks.members import apart as apart
from segue.networks.network import Body as Body
from segue.networks.network import SegmentationNetwork as SegmentationNetwork
from segue.networks.outputs import Outputs as Outputs
from segue.networks.saved import load_exactly as load_exactly
from segue.networks.saved import restore as restore
from segue.networks.saved import save as save
from segue.networks.settings import VOLUMES as VOLUMES
from segue.networks.settings import NetworkSettings as NetworkSettings
from segue.networks.volumetric import planned as planned
from segue.networks.weights import load_weights as load_weights
