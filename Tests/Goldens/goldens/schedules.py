"""Learning-rate schedules at given steps."""
import keras
import numpy as np

from .archive import Archive
from .plain import plain


def cases():
    s = keras.optimizers.schedules
    yield "cosine_decay", s.CosineDecay(0.1, 20)
    yield "cosine_decay/alpha", s.CosineDecay(0.1, 20, alpha=0.25)
    yield "cosine_decay/warmup", s.CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=7)
    yield "cosine_decay/warmup/from_initial", s.CosineDecay(0.02, 15, alpha=0.1, warmup_target=0.1, warmup_steps=5)
    yield "cosine_decay_restarts", s.CosineDecayRestarts(0.1, 6, t_mul=1.5, m_mul=0.8, alpha=0.05)
    yield "exponential_decay", s.ExponentialDecay(0.1, 10, 0.5)
    yield "exponential_decay/staircase", s.ExponentialDecay(0.1, 10, 0.5, staircase=True)
    yield "piecewise_constant_decay", s.PiecewiseConstantDecay([5, 12, 20], [1.0, 0.5, 0.1, 0.01])
    yield "polynomial_decay", s.PolynomialDecay(0.1, 20, end_learning_rate=0.01, power=2.0)
    yield "polynomial_decay/cycle", s.PolynomialDecay(0.1, 8, end_learning_rate=0.01, cycle=True)
    yield "inverse_time_decay", s.InverseTimeDecay(0.1, 10, 0.5)
    yield "inverse_time_decay/staircase", s.InverseTimeDecay(0.1, 10, 0.5, staircase=True)


def archive():
    made = Archive("schedules")
    steps = np.arange(36, dtype=np.int32)
    made.put("steps", steps)
    for name, schedule in cases():
        values = np.float32([float(schedule(int(step))) for step in steps])
        made.add(name, type(schedule).__name__, plain(schedule.get_config()), {"values": values}, shared={"steps": "steps"})
    return made
