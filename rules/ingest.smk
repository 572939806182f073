# Raw scanner files to a BIDS dataset.


rule ingest:
    input:
        raw=lambda w: ancient(targets.raw_present(w)),
    output:
        image="bids/{place}/{name}.nii.gz",
        sidecar="bids/{place}/{name}.json",
    log:
        "logs/ingest/{place}/{name}.log",
    wildcard_constraints:
        place=r"sub-[A-Za-z0-9]+/ses-[A-Za-z0-9]+/(mrs|anat)",
        name=r"sub-[^/]+_(svs|mrsref|T1w)",
    container:
        image("core")
    resources:
        mem_mb=targets.memory,
        runtime=growing(10),
    params:
        path=targets.raw,
        sha256=targets.raw_hash,
        settings=targets.settings_of("ingest"),
        version=targets.version("ingest"),
    shell:
        "snakemrs ingest --convert {params.path:q} {output.image:q} --no-reference"
        " --settings {params.settings:q} > {log:q} 2>&1"


rule dataset:
    output:
        "bids/dataset_description.json",
    log:
        "logs/ingest/dataset.log",
    container:
        image("core")
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        tables=targets.tables_hash(),
        version=targets.version("dataset"),
    shell:
        "snakemrs ingest-dataset --study . --output bids > {log:q} 2>&1"
