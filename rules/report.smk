# Pages of participants and of the group, and the methods text.


rule report_participant:
    input:
        targets.of_participant,
    output:
        f"{DERIVATIVES}/sub-{{participant}}.html",
    log:
        "logs/report/sub-{participant}.log",
    container:
        image("core")
    resources:
        mem_mb=growing(1500),
        runtime=growing(10),
    params:
        plan=targets.path,
        failures=targets.failures_of_participant,
        settings=targets.settings_of("report"),
        version=targets.version("report"),
    shell:
        "snakemrs report participant --plan {params.plan:q} --participant {wildcards.participant}"
        " --output {output:q} > {log:q} 2>&1"


# The pages are inputs for their order only: this step shows on each where its quality stands among all.
rule report_group:
    input:
        rules.group.output,
        pages=targets.pages_made(),
    output:
        f"{DERIVATIVES}/index.html",
    log:
        "logs/report/index.log",
    container:
        image("core")
    resources:
        mem_mb=growing(1500),
        runtime=growing(10),
    params:
        plan=targets.path,
        failures=targets.failures(),
        settings=targets.settings_of("report"),
        version=targets.version("report"),
    shell:
        "snakemrs report group --plan {params.plan:q} --with-pages --output {output:q} > {log:q} 2>&1"


rule report_methods:
    input:
        rules.group.output,
    output:
        f"{DERIVATIVES}/methods.md",
        f"{DERIVATIVES}/methods.tex",
        f"{DERIVATIVES}/references.bib",
        f"{DERIVATIVES}/mrsinmrs.tsv",
        f"{DERIVATIVES}/consort.tsv",
        f"{DERIVATIVES}/CITATION.cff",
    log:
        "logs/report/methods.log",
    container:
        image("core")
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        plan=targets.path,
        folder=targets.folder,
        settings=targets.settings_of("report"),
        version=targets.version("report"),
    shell:
        "snakemrs report methods --plan {params.plan:q} --output {params.folder:q} > {log:q} 2>&1"
