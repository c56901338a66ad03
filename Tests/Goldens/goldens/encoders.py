"""Layers that turn text and whole numbers into indices and rows: vocabularies, their order, hashes."""
import json
import os

import keras
import numpy as np
import tensorflow as tf

SENTENCES = [
    "The cat sat on the mat.", "A dog sat on the LOG!", "the end, of the cat's tale", "", "Ünïcode wörds & naïve cafés  \t twice",
    "a a a the the [UNK] x-ray", "one\u00a0word \u2028 two\vthree\ffour", "e\u0301 is not é; 猫 and 犬",
]
UNSEEN = ["the dog and a bird", "", "CAT cat c.a.t", "é e\u0301 猫 zzz the end of the tale is long and goes on and on"]
WORDS = ["red", "green", "blue", "red", "green", "red", "", "yellow", "é", "e\u0301", "blue", "[UNK]"]
LENGTHS = ["".join(chr(97 + i * 7 % 26) for i in range(n)) for n in [0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 47, 63, 64, 65, 100, 127, 128, 129, 200, 256, 257, 1000]]


class Cases:
    def __init__(self):
        self.cases = []

    def add(self, layer, config, encode, adapt=None, made=None):
        """`adapt`, `encode`: a list, of rows where samples have several elements; for crosses a list of inputs."""
        layer = made or getattr(keras.layers, layer)(**config)
        kind = type(layer).__name__
        case = {"kind": kind, "config": config, "encode": encode}
        if adapt is not None:
            layer.adapt(np.array(adapt))
            case["adapt"] = adapt
        inputs = [np.array(x) for x in encode] if kind == "HashedCrossing" else np.array(encode)
        output = np.asarray(layer(inputs))
        case["shape"] = list(output.shape)
        case["output"] = [v.decode() if isinstance(v, bytes) else float(v) if output.dtype.kind == "f" else int(v) for v in output.ravel().tolist()]
        if hasattr(layer, "get_vocabulary"):
            case["tokens"] = [v if v is None else str(v) for v in layer.get_vocabulary()]
        self.cases.append(case)

    def save(self, folder):
        path = os.path.join(folder, "encoders.json")
        hashes = [{"text": t, "farm": int(tf.strings.to_hash_bucket_fast([t], 2**61 - 1)[0]),
                   "sip": int(tf.strings.to_hash_bucket_strong([t], 2**61 - 1, key=[7, -3 % 2**62])[0])} for t in LENGTHS + SENTENCES]
        with open(path, "w") as file:
            file.write('{"hashes": ' + json.dumps(hashes, ensure_ascii=False) + ',\n"cases": [\n')
            file.write(",\n".join(json.dumps(c, ensure_ascii=False) for c in self.cases) + "]}\n")
        return f"encoders: {len(self.cases)} cases, {os.path.getsize(path):,} bytes"


def archive():
    made = Cases()
    vocabulary = ["red", "green", "blue"]
    asked = ["green", "violet", "red", "", "é", "[UNK]"]
    pairs, few = [["red", "blue"], ["green", "green"], ["violet", "red"], ["", "blue"]], [["red", "x"], ["red", "red"], ["y", "blue"]]
    for mode in ["int", "one_hot", "multi_hot", "count"]:
        made.add("StringLookup", {"output_mode": mode}, pairs, adapt=WORDS)
        made.add("StringLookup", {"output_mode": mode, "mask_token": "", "num_oov_indices": 2}, pairs, adapt=WORDS)
        made.add("StringLookup", {"output_mode": mode, "vocabulary": vocabulary, "mask_token": ""}, [[w] for w in asked])
        made.add("IntegerLookup", {"output_mode": mode, "mask_token": 0}, [[5, 0], [7, -3], [100, 5]], adapt=[5, 7, 5, 0, -3, 12, 7, 5, -1])
        if mode != "one_hot":
            made.add("TextVectorization", {"output_mode": mode}, UNSEEN, adapt=SENTENCES)
            made.add("TextVectorization", {"output_mode": mode, "ngrams": 2, "max_tokens": 12}, UNSEEN, adapt=SENTENCES)
    made.add("StringLookup", {}, asked, adapt=WORDS)
    made.add("StringLookup", {"output_mode": "one_hot"}, asked, adapt=WORDS)
    made.add("StringLookup", {"max_tokens": 4}, asked, adapt=WORDS)
    made.add("StringLookup", {"vocabulary": vocabulary, "num_oov_indices": 5}, LENGTHS)
    made.add("StringLookup", {"vocabulary": vocabulary, "num_oov_indices": 5, "salt": 9}, LENGTHS)
    made.add("StringLookup", {"vocabulary": vocabulary, "num_oov_indices": 5, "salt": [4, 2]}, LENGTHS)
    made.add("StringLookup", {"vocabulary": vocabulary, "num_oov_indices": 0}, ["blue", "red"])
    made.add("StringLookup", {"vocabulary": ["", "[UNK]"] + vocabulary, "mask_token": ""}, asked)
    made.add("StringLookup", {"vocabulary": vocabulary, "mask_token": "m", "invert": True}, [0, 1, 2, 3, 4, 5, -1, 99])
    for extra in [{}, {"max_tokens": 9, "pad_to_max_tokens": True}]:
        made.add("StringLookup", {"output_mode": "tf_idf"} | extra, pairs, adapt=few)
        made.add("StringLookup", {"output_mode": "count"} | extra, pairs, adapt=few)
        made.add("StringLookup", {"output_mode": "tf_idf", "vocabulary": vocabulary, "idf_weights": [0.25, 0.75, 0.3]} | extra, pairs)
        made.add("StringLookup", {"output_mode": "tf_idf", "vocabulary": ["[UNK]"] + vocabulary, "idf_weights": [0.9, 0.25, 0.75, 0.3]} | extra, pairs)
        made.add("IntegerLookup", {"output_mode": "tf_idf"} | extra, [[5, 9], [7, 7]], adapt=[[5, 7], [5, 5], [1, 2]])
        made.add("TextVectorization", {"output_mode": "tf_idf", "standardize": "lower"} | ({"max_tokens": 60, "pad_to_max_tokens": True} if extra else {}), UNSEEN, adapt=SENTENCES)
    numbers = [5, 7, 100, -4, -1, 10**15, 0]
    made.add("IntegerLookup", {}, numbers, adapt=[5, 7, 5, 0, -3, 12, 7, 5])
    made.add("IntegerLookup", {"vocabulary": [5, 7], "num_oov_indices": 3}, numbers)
    made.add("IntegerLookup", {"vocabulary": [5, 7], "num_oov_indices": 3, "oov_method": "farmhash"}, numbers)
    made.add("IntegerLookup", {"vocabulary": [5, 7], "num_oov_indices": 3, "oov_method": "farmhash", "salt": 3}, numbers)
    made.add("IntegerLookup", {"vocabulary": [5, 7], "mask_token": 4, "invert": True}, [0, 1, 2, 3, 4, -1])
    for mode in ["int", "one_hot", "multi_hot", "count"]:
        made.add("Hashing", {"num_bins": 5, "output_mode": mode}, pairs)
        made.add("Hashing", {"num_bins": 5, "output_mode": mode, "mask_value": ""}, pairs)
    made.add("Hashing", {"num_bins": 1000}, LENGTHS)
    made.add("Hashing", {"num_bins": 1000, "salt": [133, 137]}, LENGTHS)
    made.add("Hashing", {"num_bins": 1000, "salt": 5, "mask_value": 7}, numbers)
    made.add("Hashing", {"num_bins": 1, "mask_value": ""}, pairs)
    a, b, c = ["A", "B", "", "é"], [101, -3, 0, 2**40], ["x", "y", "z", "x"]
    made.add("HashedCrossing", {"num_bins": 1000}, [a, c])
    made.add("HashedCrossing", {"num_bins": 1000}, [a, b])
    made.add("HashedCrossing", {"num_bins": 1000}, [b, a, c])
    made.add("HashedCrossing", {"num_bins": 4, "output_mode": "one_hot"}, [[[v] for v in a], [[v] for v in b]])
    for standardize in ["lower_and_strip_punctuation", "lower", "strip_punctuation", None]:
        for split in ["whitespace", "character", None]:
            texts = UNSEEN + SENTENCES
            # Without a split, a list of texts is one sample to Keras.
            asked = texts if split else [[t] for t in texts]
            made.add("TextVectorization", {"standardize": standardize, "split": split, "output_sequence_length": 12}, asked, adapt=SENTENCES)
    made.add("TextVectorization", {"ngrams": [3, 1], "output_sequence_length": 9}, UNSEEN, adapt=SENTENCES, made=keras.layers.TextVectorization(ngrams=(3, 1), output_sequence_length=9))
    made.add("TextVectorization", {"split": "character", "ngrams": 3}, UNSEEN, adapt=SENTENCES)
    made.add("TextVectorization", {"vocabulary": ["the", "cat"], "output_sequence_length": 4}, UNSEEN)
    made.add("TextVectorization", {"vocabulary": ["the", "cat"], "idf_weights": [0.5, 2.5], "output_mode": "tf_idf"}, UNSEEN)
    return made
