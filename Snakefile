# The entry: the plan, the stages, the targets. Nothing else.
# `snakemrs run STUDY` calls it; `snakemake --snakefile … --directory STUDY` gives the same after `snakemrs plan STUDY`.


include: "rules/common.smk"
include: "rules/ingest.smk"
include: "rules/anatomy.smk"
include: "rules/voxel.smk"
include: "rules/spectra.smk"
include: "rules/fit.smk"
include: "rules/quantify.smk"
include: "rules/group.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        "bids/dataset_description.json",
        targets.pages(),
        f"{DERIVATIVES}/index.html",
        f"{DERIVATIVES}/methods.md",


# Everything of the participants, nothing of the group.
rule participants:
    input:
        targets.of_sessions(),
