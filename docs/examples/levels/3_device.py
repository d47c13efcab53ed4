"""Fit a line to noisy points."""

import random

from kohaku_ast.helpers import device, logger, progress_bar

seed = 0
size = 200
lr = 0.1
epochs = 20

logger.init(config={"lr": lr, "epochs": epochs})
print("device:", device())
random.seed(seed)
points = []
for _ in range(size):
    x = random.uniform(-1, 1)
    points.append((x, 3 * x + 1 + random.gauss(0, 0.1)))

slope = intercept = 0.0
for epoch in progress_bar(range(epochs)):
    loss = 0.0
    for x, y in points:
        error = slope * x + intercept - y
        slope -= lr * error * x
        intercept -= lr * error
        loss += error**2 / size
    logger.log({"loss": loss}, step=epoch)
print(f"loss: {loss:.6f}")
