# T1w image to brain mask and tissue maps.


rule segment:
    input:
        unpack(targets.segment_inputs),
    output:
        expand(
            f"{DERIVATIVES}/{{place}}/anat/{{name}}_{{file}}",
            file=[*targets.segmentation_files, "desc-anatomy_quality.tsv"],
            allow_missing=True,
        ),
    log:
        "logs/anatomy/{place}/{name}.log",
    container:
        segmentation_image(targets)
    threads: targets.plan.settings["anatomy"]["threads"]
    resources:
        mem_mb=segmentation_memory(targets),
        runtime=growing(30),
    params:
        options=targets.segment_options,
        existing_sha256=targets.existing_hash,
        settings=targets.settings_of("anatomy"),
        version=targets.version("segment"),
    shell:
        "snakemrs segment {input.t1w:q} {params.options}"
        " --settings {params.settings:q} > {log:q} 2>&1"
