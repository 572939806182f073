# Amplitudes to ratios and concentrations.


rule quantify:
    input:
        unpack(targets.quantify_inputs),
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
        options=targets.quantify_options,
        constants_sha256=targets.constants_hash(),
        settings=targets.settings_of("quantify"),
        version=targets.version("quantify"),
    shell:
        "snakemrs quantify {input.amplitudes:q} --svs {input.svs:q} {params.options}"
        " --settings {params.settings:q} > {log:q} 2>&1"
