# T1w image to brain mask and tissue maps.


rule segment:
    input:
        targets.t1w,
    output:
        expand(
            f"{DERIVATIVES}/{{place}}/anat/{{name}}_{{file}}",
            file=[*ANATOMY_FILES, "desc-anatomy_quality.tsv"],
            allow_missing=True,
        ),
    log:
        "logs/anatomy/{place}/{name}.log",
    container:
        image("anatomy")
    threads: targets.plan.settings["anatomy"]["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        prefix=f"{DERIVATIVES}/{{place}}/anat/{{name}}",
        settings=targets.settings_of("anatomy"),
        version=targets.version("segment"),
    shell:
        "snakemrs segment {input:q} --output {params.prefix:q} --settings {params.settings:q} > {log:q} 2>&1"
