"""Makes reviews/: sentences about things in a shop, kind or unkind, one on each line. Words alone do not say which: there are
negations, and things that were expected. One in thirty is in the wrong file, as in real life."""
import os
import random

THINGS = ["lamp", "kettle", "chair", "tent", "radio", "jacket", "bicycle", "backpack", "clock", "camera", "table", "rug", "speaker", "pan"]
PARTS = ["handle", "colour", "manual", "box", "cable", "zip", "finish", "button", "strap", "lid"]
GOOD = ["great", "lovely", "solid", "comfortable", "bright", "reliable", "excellent", "beautiful", "quick", "quiet"]
BAD = ["awful", "ugly", "flimsy", "uncomfortable", "dull", "unreliable", "terrible", "broken", "slow", "noisy"]
TIMES = ["after a week", "from the first day", "out of the box", "on our last trip", "in the kitchen", "so far", "in the end", "for the price"]
STARTS = ["", "", "Well, ", "Honestly: ", "My sister says ", "To be fair, ", "Second order. "]
ENDS = ["", "", "!", ".", " and I would buy it again", ", five stars"]
SAD_ENDS = ["", "", "!", ".", " and I sent it back", ", one star"]


def sentence(random, kind):
    good, bad = random.choice(GOOD), random.choice(BAD)
    thing, part, time = random.choice(THINGS), random.choice(PARTS), random.choice(TIMES)
    said, other = (good, bad) if kind else (bad, good)
    forms = [
        f"the {thing} is {said} {time}",
        f"the {part} of this {thing} is {said}",
        f"the {thing} is not {other} at all",
        f"I expected a {other} {thing}, but it is {said}",
        f"never had such a {said} {thing}",
        f"the {thing} is anything but {other} {time}",
        f"some call it {other}; the {part} and the {thing} are {said}",
        f"not {other}, just {said}: the {thing} {time}",
        f"how {said} a {thing} can be",
        f"{said} {part}, {said} {thing}",
        f"it was {other} before, now the {thing} is {said}",
        f"no {other} {part} here {time}",
    ]
    return random.choice(STARTS) + random.choice(forms) + random.choice((ENDS if kind else SAD_ENDS))


def main():
    draw = random.Random(15)
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reviews")
    os.makedirs(folder, exist_ok=True)
    lines = {0: [], 1: []}
    while len(lines[0]) + len(lines[1]) < 900:
        kind = draw.randrange(2)
        text = sentence(draw, kind)
        lines[kind if draw.random() > 1 / 30 else 1 - kind].append(text[0].upper() + text[1:])
    for kind, name in enumerate(["unkind", "kind"]):
        with open(os.path.join(folder, f"{name}.txt"), "w") as file:
            file.write("\n".join(lines[kind]) + "\n")


main()
