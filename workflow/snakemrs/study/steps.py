"""Version of each step: raised when a change of the code changes results; the step and what follows run again."""

STEP_VERSIONS = {
    "ingest": 3,
    "dataset": 1,
    "segment": 3,
    "preprocess": 2,
    "voxel": 3,
    "basis": 2,
    "fit": 2,
    "dynamic": 2,
    "quantify": 2,
    "group": 4,
    "report": 1,
}
