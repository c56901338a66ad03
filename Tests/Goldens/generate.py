"""Writes data/<topic>.safetensors: all topics, or those named as arguments."""
import importlib
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Made with packages of their own, so only where they are asked for: see README.md.
APART = ["pruning", "scores"]
TOPICS = ["layers", "recurrent", "sequence_training", "losses", "metrics", "optimizers", "schedules", "training", "options", "random", "initializers", "ops", "encoders", "preprocessing", "adapting", "images", "windows"]


def main(names):
    unknown = sorted(set(names) - set(TOPICS + APART))
    if unknown:
        sys.exit(f"No topic named {', '.join(unknown)}. Topics: {', '.join(TOPICS + APART)}.")
    for name in names or TOPICS:
        archive = importlib.import_module(f"goldens.{name}").archive()
        print(archive.save(os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")))


main(sys.argv[1:])
