# Voxel in the anatomy: mask and tissue fractions.


rule voxel:
    input:
        unpack(targets.voxel_inputs),
    output:
        tissue=f"{DERIVATIVES}/{{place}}/mrs/{{front}}_voi-{{voi}}{{run_part}}_tissue.tsv",
        box=f"{DERIVATIVES}/{{place}}/mrs/{{front}}_voi-{{voi}}{{run_part}}_voxel.json",
        quality=f"{DERIVATIVES}/{{place}}/mrs/{{front}}_voi-{{voi}}{{run_part}}_desc-voxel_quality.tsv",
        mask=f"{DERIVATIVES}/{{place}}/anat/{{front}}_voi-{{voi}}{{run_part}}_space-T1w_desc-{{voi}}_mask.nii.gz",
    log:
        "logs/voxel/{place}/{front}_voi-{voi}{run_part}.log",
    container:
        image("core")
    resources:
        mem_mb=growing(600),
        runtime=growing(10),
    params:
        prefix=lambda w, output: output.tissue.removesuffix("_tissue.tsv"),
        compare=targets.compare_option,
        settings=targets.settings_of("voxel"),
        version=targets.version("voxel"),
    shell:
        "snakemrs voxel {input.svs:q} --t1w {input.anatomy[0]:q} --brain-mask {input.anatomy[1]:q}"
        " --gm {input.anatomy[2]:q} --wm {input.anatomy[3]:q} --csf {input.anatomy[4]:q}"
        " {params.compare} --output {params.prefix:q} --mask-output {output.mask:q} --settings {params.settings:q} > {log:q} 2>&1"


# A spectrum whose name has no voi- entity.
use rule voxel as voxel_unnamed with:
    input:
        unpack(targets.voxel_inputs),
    output:
        tissue=f"{DERIVATIVES}/{{place}}/mrs/{{name}}_tissue.tsv",
        box=f"{DERIVATIVES}/{{place}}/mrs/{{name}}_voxel.json",
        quality=f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-voxel_quality.tsv",
        mask=f"{DERIVATIVES}/{{place}}/anat/{{name}}_space-T1w_desc-mrs_mask.nii.gz",
    log:
        "logs/voxel/{place}/{name}.log",
    wildcard_constraints:
        name=r"sub-(?!.*_voi-)[^/]+?",
    params:
        prefix=lambda w, output: output.tissue.removesuffix("_tissue.tsv"),
        compare=targets.compare_option,
        settings=targets.settings_of("voxel"),
        version=targets.version("voxel"),
