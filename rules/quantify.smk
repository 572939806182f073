# Amplitudes to ratios and concentrations.


rule quantify:
    input:
        amplitudes=targets.amplitudes,
        svs=targets.mean,
        tissue=targets.tissue,
    output:
        f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-{{label}}_concentrations.tsv",
    log:
        "logs/quantify/{place}/{name}_desc-{label}.log",
    container:
        image("core")
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        prefix=targets.prefix,
        tissue=targets.tissue_option,
        water=targets.processed_water_option,
        constants_sha256=targets.constants_hash,
        settings=targets.settings_of("quantify"),
        version=targets.version("quantify"),
    shell:
        "snakemrs quantify {input.amplitudes:q} {params.tissue} --svs {input.svs:q} {params.water}"
        " --output {params.prefix:q} --settings {params.settings:q} > {log:q} 2>&1"
