"""Networks by name: any encoder under any architecture, colours in, logits out.

network = build(NetworkSettings(architecture="unet", encoder="resnet18"), target, channels=3)
network(images).logits
"""

from __future__ import annotations

from segue.networks.build import build as build
from segue.networks.network import SegmentationNetwork as SegmentationNetwork
from segue.networks.outputs import Outputs as Outputs
from segue.networks.settings import NetworkSettings as NetworkSettings
