"""The engine that comes with kohaku_ast."""
from __future__ import annotations
from kohaku_ast.pipeline.direct import map_direct, run_direct
from kohaku_ast.pipeline.stepping import Steps


class NativeEngine:
    def __init__(self, node_executor="sequential", map_executor="sequential", max_workers=None):
        pass

    def run(self, job):
        if job.is_bare and not job.plan.is_async:
            return run_direct(job)
        steps = Steps(job)
        for node in steps.todo:
            steps.step(node, steps.call)
        return steps.result()

    def map(self, job, rows, keep):
        if job.is_bare and not job.plan.is_async:
            return map_direct(job, rows, keep)
        return [self.run(job.item(i, rows.values(i))) for i in range(len(rows))]
