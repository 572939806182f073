# Every table, the clinical scores and the design: joined and analysed.


rule group:
    input:
        targets.of_sessions(),
        targets.of_variants(),
    output:
        expand(
            f"{DERIVATIVES}/group/{{table}}.tsv",
            table=[
                "concentrations",
                "frames",
                "functional",
                "quality",
                "clinical",
                "completeness",
                "flow",
                "flow_participants",
                "excluded",
            ],
        ),
        directory(f"{DERIVATIVES}/group/statistics"),
        directory(f"{DERIVATIVES}/group/sensitivity"),
    log:
        "logs/group/group.log",
    container:
        image("core")
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        plan=targets.path,
        folder=targets.folder,
        tables=targets.tables_hash(),
        failures=targets.failures(),
        settings=targets.settings_of("group"),
        version=targets.version("group"),
    shell:
        "snakemrs group --plan {params.plan:q} --output {params.folder:q}"
        " --settings {params.settings:q} > {log:q} 2>&1"
