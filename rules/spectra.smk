# Transients to clean, aligned spectra.


rule preprocess:
    input:
        unpack(targets.preprocess_inputs),
    output:
        expand(
            f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-{{file}}",
            file=[
                "preproc_svs.nii.gz",
                "frames_svs.nii.gz",
                "preproc_quality.tsv",
                "frames_quality.tsv",
                "transients_quality.tsv",
            ],
            allow_missing=True,
        ),
    log:
        "logs/spectra/{place}/{name}.log",
    container:
        image("core")
    resources:
        mem_mb=targets.memory,
        runtime=growing(15),
    params:
        options=targets.preprocess_options,
        events=targets.events_option(),
        events_sha256=targets.events_hash(),
        settings=targets.settings_of("spectra"),
        version=targets.version("preprocess"),
    shell:
        "snakemrs preprocess {input.svs:q} {params.options} {params.events}"
        " --settings {params.settings:q} > {log:q} 2>&1"
