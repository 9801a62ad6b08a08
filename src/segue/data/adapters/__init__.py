"""The layouts that can be read, the particular before the general: the first that recognises a folder takes it."""

from __future__ import annotations

from segue.data.adapters import (
    acdc,
    acdc_scribbles,
    bkai_neopolyp,
    channels,
    chaos,
    chaos_ct,
    cvc_clinicdb,
    cvc_colondb,
    decathlon,
    endocv2020,
    etis_larib,
    folders,
    freesurfer,
    ham10000,
    hyper_kvasir,
    isic2018,
    kvasir_seg,
    manifest,
    mmwhs,
    mscmr,
    ph2,
    polypgen,
    pranet,
    suffixes,
    unlabelled,
)
from segue.data.adapters.adapter import Adapter as Adapter
from segue.data.adapters.adapter import Known as Known
from segue.data.adapters.adapter import Reading as Reading

ADAPTERS: dict[str, Adapter] = {
    module.ADAPTER.name: module.ADAPTER
    for module in (
        # published
        hyper_kvasir,
        kvasir_seg,
        pranet,  # before the datasets that it holds parts of
        cvc_clinicdb,
        cvc_colondb,
        etis_larib,
        endocv2020,
        polypgen,
        bkai_neopolyp,
        isic2018,
        ham10000,
        ph2,
        acdc,
        acdc_scribbles,
        mmwhs,
        mscmr,
        chaos,
        chaos_ct,
        freesurfer,
        decathlon,
        # generic
        manifest,
        channels,
        suffixes,
        folders,
        unlabelled,
    )
}
