# Basis and linear-combination fit: static, per frame, dynamic.


rule basis:
    output:
        f"{DERIVATIVES}/basis/{{key}}/basis.json",
    log:
        "logs/fit/basis_{key}.log",
    container:
        image("core")
    resources:
        mem_mb=growing(500),
        runtime=growing(15),
    params:
        options=targets.basis_parameters,
        version=targets.version("basis"),
    shell:
        "snakemrs basis simulate {params.options} > {log:q} 2>&1"


rule fit:
    input:
        unpack(targets.fit_inputs),
    output:
        expand(
            f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-{{label}}_{{file}}",
            file=FIT_FILES,
            allow_missing=True,
        ),
    log:
        "logs/fit/{place}/{name}_desc-{label}.log",
    wildcard_constraints:
        label=r"static|frames",
    container:
        image("core")
    resources:
        mem_mb=growing(500),
        runtime=growing(15),
    params:
        options=targets.fit_options,
        basis_sha256=targets.basis_hash(),
        settings=targets.settings_of("fit"),
        version=targets.version("fit"),
    shell:
        "snakemrs fit {input.data:q} {params.options} --label {wildcards.label}"
        " --settings {params.settings:q} > {log:q} 2>&1"


# All transients of a session at once, along the design that its events make.
rule dynamic:
    input:
        unpack(targets.models),
        # The image of transients lies beside their table; it is not written where there is only one.
        transients=f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-transients_quality.tsv",
        frames=f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-frames_amplitudes.tsv",
    output:
        expand(
            f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-dynamic_{{file}}",
            file=DYNAMIC_FILES,
            allow_missing=True,
        ),
    log:
        "logs/fit/{place}/{name}_desc-dynamic.log",
    container:
        image("core")
    resources:
        mem_mb=growing(3000),
        runtime=growing(15),
    params:
        data=f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-transients_svs.nii.gz",
        options=targets.fit_options,
        basis_sha256=targets.basis_hash(),
        events_sha256=targets.events_hash(),
        regressors=targets.regressors_option,
        regressors_sha256=targets.regressors_hash,
        functional=targets.settings_of("functional"),
        settings=targets.settings_of("fit"),
        version=targets.version("dynamic"),
    shell:
        "snakemrs fit {params.data:q} {params.options} --events events.tsv"
        " --frames {input.frames:q} {params.regressors} --functional {params.functional:q}"
        " --label dynamic --settings {params.settings:q} > {log:q} 2>&1"
