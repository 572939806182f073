# What all stages share: the plan, the images, the names that wildcards may take.
from snakemrs.study.plan import DERIVATIVES
from snakemrs.study.needs import growing, segmentation_image, segmentation_memory
from snakemrs.study.resources import image
from snakemrs.study.targets import DYNAMIC_FILES, FIT_FILES, Targets

targets = Targets("work/plan.json")


wildcard_constraints:
    participant=r"[A-Za-z0-9]+",
    place=r"(variants/[A-Za-z0-9-]+/)?sub-[A-Za-z0-9]+/ses-[A-Za-z0-9]+",
    name=r"sub-[^/]+?",
    voi=r"[A-Za-z0-9]+",
    run_part=r"(_run-[A-Za-z0-9]+)?",
    label=r"static|frames|dynamic",
    key=r"[^/]+",


localrules:
    all,
    participants,
