# Basis and linear-combination fit.


rule basis:
    output:
        f"{DERIVATIVES}/basis/{{key}}/basis.json",
    log:
        "logs/fit/basis_{key}.log",
    container:
        image("core")
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        folder=f"{DERIVATIVES}/basis/{{key}}",
        sequence=targets.basis_parameters,
        version=targets.version("basis"),
    shell:
        "snakemrs basis simulate {params.sequence} --output {params.folder:q} > {log:q} 2>&1"


rule fit:
    input:
        data=lambda w: f"{DERIVATIVES}/{w.place}/mrs/{w.name}_desc-{'preproc' if w.label == 'static' else w.label}_svs.nii.gz",
        basis=targets.basis,
        macromolecules=targets.macromolecules,
    output:
        expand(
            f"{DERIVATIVES}/{{place}}/mrs/{{name}}_desc-{{label}}_{{file}}",
            file=FIT_FILES,
            allow_missing=True,
        ),
    log:
        "logs/fit/{place}/{name}_desc-{label}.log",
    container:
        image("core")
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        prefix=f"{DERIVATIVES}/{{place}}/mrs/{{name}}",
        basis=targets.basis_option,
        basis_sha256=targets.basis_hash(),
        water=targets.processed_water_option,
        macromolecules=targets.macromolecules_option,
        settings=targets.settings("fit"),
        version=targets.version("fit"),
    shell:
        "snakemrs fit {input.data:q} {params.basis} {params.water} {params.macromolecules} --label {wildcards.label}"
        " --output {params.prefix:q} --settings {params.settings:q} > {log:q} 2>&1"
