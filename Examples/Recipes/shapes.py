"""Draws pictures of discs, rings, squares and crosses into a folder for each: python3 shapes.py FOLDER [PICTURES OF EACH]

Needs nothing but Python. The pictures are PPM files of 40 × 36 pixels, in all colours, at all places, on noise.
"""

import os
import random
import sys

HEIGHT, WIDTH = 36, 40


def inside(shape, x, y, size):
    distance = (x * x + y * y) ** 0.5
    if shape == "disc":
        return distance < size
    if shape == "ring":
        return 0.6 * size < distance < size
    if shape == "square":
        return max(abs(x), abs(y)) < 0.85 * size
    return min(abs(x), abs(y)) < 0.3 * size and max(abs(x), abs(y)) < size


def picture(shape, draw):
    size = draw.uniform(7, 13)
    left, top = draw.uniform(size, WIDTH - size), draw.uniform(size, HEIGHT - size)
    front, back = ([draw.randrange(256) for _ in range(3)] for _ in range(2))
    while sum(abs(a - b) for a, b in zip(front, back)) < 150:
        back = [draw.randrange(256) for _ in range(3)]
    pixels = bytearray()
    for row in range(HEIGHT):
        for column in range(WIDTH):
            color = front if inside(shape, column - left, row - top, size) else back
            pixels += bytes(min(max(value + draw.randrange(-20, 21), 0), 255) for value in color)
    return b"P6 %d %d 255\n" % (WIDTH, HEIGHT) + bytes(pixels)


def main(folder, count):
    draw = random.Random(0)
    for shape in ("disc", "ring", "square", "cross"):
        os.makedirs(os.path.join(folder, shape), exist_ok=True)
        for number in range(count):
            with open(os.path.join(folder, shape, f"{number:03}.ppm"), "wb") as file:
                file.write(picture(shape, draw))


main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100)
