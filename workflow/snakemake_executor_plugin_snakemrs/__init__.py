"""The dry run's executor: notes which jobs would run and why, and runs none.

Snakemake finds it by its name (``--executor snakemrs``). Its own dry run prints each job, for which it works out
resources and fills in the shell line: a third of its time, for words that nobody reads here. This one writes the events
that `snakemrs plan` wants, as the logger plugin (`snakemake_logger_plugin_snakemrs`) does for a run.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from snakemake_interface_executor_plugins.executors.base import AbstractExecutor, SubmittedJobInfo
from snakemake_interface_executor_plugins.settings import CommonSettings

common_settings = CommonSettings(
    non_local_exec=False,
    dryrun_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
)


class Executor(AbstractExecutor):  # type: ignore[misc]
    """Append a line for each job that would run to the file that SNAKEMRS_EVENTS names."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        super().__init__(workflow, logger)
        with open(os.environ.get("SNAKEMRS_EVENTS", os.devnull), "a", encoding="utf-8") as stream:
            for job in self.dag.needrun_jobs():
                stream.write(json.dumps(_event(job, str(self.dag.reason(job)))) + "\n")

    def printjob(self, job: Any) -> None:
        """Say nothing: the job has been noted."""

    def run_job(self, job: Any) -> None:
        """Call a job done."""
        info = SubmittedJobInfo(job=job)
        self.report_job_submission(info)
        self.report_job_success(info)

    def cancel(self) -> None:
        """Nothing runs."""

    def shutdown(self) -> None:
        """Nothing runs."""

    def handle_job_success(self, job: Any) -> None:
        """Nothing was made."""

    def handle_job_error(self, job: Any) -> None:
        """Nothing can fail."""


def _event(job: Any, reason: str) -> dict[str, Any]:
    return {
        "event": "job_info",
        "time": time.time(),
        "jobid": job.jobid,
        "rule_name": job.rule.name,
        "wildcards": job.wildcards_dict,
        "reason": reason,
        "log": [str(path) for path in job.log],
        "output": [str(path) for path in job.output],
    }
