"""Writes the sample of Fashion-MNIST that is compiled into AccelerandoData.

Usage: make_fashion_mnist_sample.py DIRECTORY > Sources/AccelerandoData/FashionMNISTSample.swift
DIRECTORY holds the four gzipped IDX files, such as /usr/share/datasets/fashion-mnist.
"""

import base64
import gzip
import io
import struct
import sys

COUNTS = {"train": 512, "t10k": 128}


def shortened(path, count):
    data = gzip.open(path).read()
    rank = data[3]
    sizes = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    row = 1
    for size in sizes[1:]:
        row *= size
    start = 4 + 4 * rank
    plain = data[:4] + struct.pack(f">{rank}I", count, *sizes[1:]) + data[start : start + count * row]
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(plain)
    return buffer.getvalue()


def main():
    print("// swift-format-ignore-file")
    print("// Written by Scripts/make_fashion_mnist_sample.py. A part of Fashion-MNIST, which needs no network: the first")
    print("// 512 training and 128 test images as gzipped IDX files in base64. It is code and no resource, so that a program")
    print("// can be copied anywhere without losing it.")
    print("//")
    print("// Fashion-MNIST is copyright (c) 2017 Zalando SE, https://tech.zalando.com, and under the MIT licence:")
    print("//")
    for line in LICENCE.strip().splitlines():
        print(f"// {line}".rstrip())
    print()
    print("enum FashionMNISTSample {")
    print("  /// In the order of the dataset's files.")
    print("  static let parts: [(name: String, base64: String)] = [")
    for kind, rank in (("train", 3), ("train", 1), ("t10k", 3), ("t10k", 1)):
        name = f"{kind}-{'images' if rank == 3 else 'labels'}-idx{rank}-ubyte"
        text = base64.b64encode(shortened(f"{sys.argv[1]}/{name}.gz", COUNTS[kind])).decode()
        print(f'    ("bundled {name}", """')
        for start in range(0, len(text), 116):
            print(f"    {text[start:start + 116]}")
        print('    """),')
    print("  ]")
    print("}")


LICENCE = """
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

main()
