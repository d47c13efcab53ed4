"""Runs the DAG of a folder with Airflow, whose Python runs this file; its pods are processes.

``python airflow_run.py FOLDER CONF KOGINE ...``: prints the state of each task, and what the task
``total`` has printed.
"""

import json
import os
import subprocess
import sys
from typing import Any

from airflow.exceptions import AirflowException, AirflowSkipException
from airflow.models import DagBag
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

folder, conf, *kogine = sys.argv[1:]
printed: dict[str, str] = {}


def execute(self: Any, context: Any, **_: Any) -> None:
    """What a pod of the operator does, and how the operator reads its status."""
    words = [one.replace("/kogine/", f"{folder}/volume/", 1) for one in self.arguments]
    variables = {**os.environ, "PYTHONPATH": os.environ["KOGINE_PATH"]}
    done = subprocess.run(
        [*kogine, *words], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    printed[self.task_id] = done.stdout
    if done.returncode in self.skip_on_exit_code:
        raise AirflowSkipException
    if done.returncode:
        raise AirflowException(done.stderr)


subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
KubernetesPodOperator.execute = execute
bag = DagBag(f"{folder}/dags", include_examples=False)
assert not bag.import_errors, bag.import_errors
(dag,) = bag.dags.values()
run = dag.test(run_conf=json.loads(conf))
states = {one.task_id: str(one.state) for one in run.get_task_instances()}
print(json.dumps([states, printed["total"]]))
