"""Fit a line to noisy points."""

import random

from kohaku_ast import Pipeline
from kohaku_ast.helpers import device, logger, process, progress_bar

seed = 0
size = 200
lr = 0.1
epochs = 20


@process(output_name="points")
def make_points(size=size, seed=seed):
    random.seed(seed)
    points = []
    for _ in range(size):
        x = random.uniform(-1, 1)
        points.append((x, 3 * x + 1 + random.gauss(0, 0.1)))
    return points


@process(output_name="loss")
def fit(points, lr=lr, epochs=epochs):
    logger.init(config={"lr": lr, "epochs": epochs})
    print("device:", device())
    slope = intercept = 0.0
    for epoch in progress_bar(range(epochs)):
        loss = 0.0
        for x, y in points:
            error = slope * x + intercept - y
            slope -= lr * error * x
            intercept -= lr * error
            loss += error**2 / len(points)
        logger.log({"loss": loss}, step=epoch)
    return loss


pipeline = Pipeline([make_points, fit])

if __name__ == "__main__":
    loss = pipeline.run()["loss"]
    print(f"loss: {loss:.6f}")
