"""A robot that turns towards a bright spot: camera -> detector -> planner -> wheels."""

from dataclasses import dataclass

from kohaku_ast.systems import Component, Delay, Input, Node, Output, System


@dataclass
class Box:
    left: int
    right: int


class Camera(Component):
    """Makes frames of one line, in which a bright spot moves."""

    @dataclass
    class Config:
        width: int = 32
        speed: int = 3

    image = Output(bytes)

    def setup(self):
        self.at = 0

    def step(self):
        frame = bytearray(self.config.width)
        frame[self.at] = 255
        self.at = (self.at + self.config.speed) % self.config.width
        return bytes(frame)


class Detector(Component):
    image = Input(bytes)
    box = Output(Box)
    width = Output(int)

    def step(self, image):
        at = image.index(255)
        return {"box": Box(at, at + 1), "width": len(image)}


class Planner(Component):
    """Turns towards the box, and the more slowly the faster it turned before."""

    @dataclass
    class Config:
        gain: float = 0.5

    box = Input(Box)
    width = Input(int)
    before = Input(float)
    turn = Output(float)

    def step(self, box, width, before):
        error = (box.left + box.right) / width - 1
        return self.config.gain * error - 0.25 * before


class Wheels(Component):
    turn = Input(float)

    def step(self, turn):
        print(f"turn {turn:+.3f}", flush=True)


eye = Node("eye")
brain = Node("brain")

camera = Camera(node=eye)
detector = Detector(image=camera.image, node=eye)
planner = Planner(box=detector.box, width=detector.width, node=brain)
last_turn = Delay(name="last_turn", initial=0.0, node=brain)
wheels = Wheels(node=brain)

planner.turn >> [wheels.turn, last_turn.value]
last_turn.delayed >> planner.before

robot = System([camera, detector, planner, last_turn, wheels], name="robot")

if __name__ == "__main__":
    robot.run(iterations=5)
