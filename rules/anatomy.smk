# T1w image to brain mask and tissue maps.


rule segment:
    input:
        t1w=targets.t1w,
        source=targets.source_maps,
    output:
        expand(
            f"{DERIVATIVES}/{{place}}/anat/{{name}}_{{file}}",
            file=[*targets.segmentation_files, "desc-anatomy_quality.tsv"],
            allow_missing=True,
        ),
    log:
        "logs/anatomy/{place}/{name}.log",
    container:
        image("anatomy")
    threads: targets.plan.settings["anatomy"]["threads"]
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        prefix=targets.prefix,
        reuse=targets.reuse_option,
        existing=targets.existing_option,
        existing_sha256=targets.existing_hash,
        settings=targets.anatomy_settings,
        version=targets.version("segment"),
    shell:
        "snakemrs segment {input.t1w:q} {params.reuse} {params.existing} --output {params.prefix:q}"
        " --settings {params.settings:q} > {log:q} 2>&1"
