"""Image files of every kind that is read, and what Pillow shows in them.

    python make_images.py        # needs pillow and numpy

Writes images/ beside this script: the files, and pixels.npz with an array for each, by its name, in its own channels.
"""

import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

target = pathlib.Path(__file__).parent / "images"
target.mkdir(exist_ok=True)
height, width = 19, 23
rows, columns = np.mgrid[:height, :width]
smooth = np.stack([columns * 11, rows * 13, (rows + columns) * 6], -1).astype(np.uint8)
noisy = (smooth.astype(int) + np.random.default_rng(0).integers(-20, 20, smooth.shape)).clip(0, 255).astype(np.uint8)
color = Image.fromarray(noisy)
gray = color.convert("L")
opacity = Image.fromarray(np.dstack([noisy, (255 - columns * 9).astype(np.uint8)]))
arrays = {}


def keep(name, mode=None):
    """The pixels of a file, as Pillow shows them."""
    image = Image.open(target / name)
    image.load()
    mode = mode or {"L": "L", "1": "L", "LA": "RGBA", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA", "CMYK": "RGB"}[image.mode]
    pixels = np.asarray(image.convert(mode))
    arrays[name] = pixels.reshape(pixels.shape[0], pixels.shape[1], -1)


def save(image, name, mode=None, **options):
    image.save(target / name, **options)
    keep(name, mode)


save(color, "color.jpg", quality=90)
save(color, "color-444.jpg", quality=95, subsampling=0)
save(color, "progressive.jpg", quality=80, progressive=True)
save(gray, "gray.jpg", quality=85)
save(color.convert("CMYK"), "inks.jpg", quality=95)

save(color, "color.png")
save(gray, "gray.png")
save(opacity, "opacity.png")
save(opacity.convert("LA"), "gray-opacity.png")
save(gray.point(lambda v: 255 * (v > 99)).convert("1"), "bits.png")
save(color.quantize(13), "palette.png")
save(opacity.quantize(20), "palette-opacity.png", "RGBA")


def write_png(name, header, lines, chunks=()):
    """A file that Pillow itself does not write."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    body = b"".join(b"\0" + line for line in lines)
    (target / name).write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *header)) + b"".join(chunk(*c) for c in chunks)
        + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b""))


deep = noisy.astype(np.uint16) * 257 - 100
write_png("color-16.png", (width, height, 16, 2, 0, 0, 0), [row.astype(">u2").tobytes() for row in deep])
keep("color-16.png")
write_png("gray-16.png", (width, height, 16, 0, 0, 0, 0), [row.astype(">u2").tobytes() for row in deep[..., 0]])
arrays["gray-16.png"] = (deep[..., :1] >> 8).astype(np.uint8)
write_png("gray-4.png", (width, height, 4, 0, 0, 0, 0), [bytes((r * 13 + c * 5) % 256 for c in range((width + 1) // 2)) for r in range(height)])
keep("gray-4.png")
# A picture that says its gamma: the numbers are shown as they are.
write_png("gamma.png", (width, height, 8, 2, 0, 0, 0), [row.tobytes() for row in noisy], [(b"gAMA", struct.pack(">I", 100000))])
keep("gamma.png")
# Adam7: seven passes, from every eighth pixel to every second row.
passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
write_png("interlaced.png", (width, height, 8, 2, 0, 0, 1), [row.tobytes() for y, dy, x, dx in passes for row in noisy[y::dy, x::dx]])
keep("interlaced.png")

save(color, "color.bmp")
save(gray, "gray.bmp")
save(color.quantize(200), "palette.bmp")
save(gray.point(lambda v: 255 * (v > 99)).convert("1"), "bits.bmp")
save(opacity, "opacity.bmp")


def write_bmp(name, depth, compression, lines, extra=b"", height=height, palette=b"", colors=0):
    body = b"".join(line + b"\0" * (-len(line) % 4) for line in lines)
    start = 14 + 40 + len(extra) + len(palette)
    (target / name).write_bytes(
        b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, compression, len(body), 0, 0, colors, 0) + extra + palette + body)
    keep(name)


words = noisy.astype(np.uint16)
five = (words[..., 0] >> 3 << 10 | words[..., 1] >> 3 << 5 | words[..., 2] >> 3).astype("<u2")
six = (words[..., 0] >> 3 << 11 | words[..., 1] >> 2 << 5 | words[..., 2] >> 3).astype("<u2")
write_bmp("color-555.bmp", 16, 0, [row.tobytes() for row in five[::-1]])
write_bmp("color-565.bmp", 16, 3, [row.tobytes() for row in six[::-1]], struct.pack("<III", 0xF800, 0x7E0, 0x1F))
write_bmp("top-down.bmp", 24, 0, [row[:, ::-1].tobytes() for row in noisy], height=-height)
write_bmp("four.bmp", 4, 0, [bytes((r * 13 + c * 5) % 256 for c in range((width + 1) // 2)) for r in range(height)],
          palette=bytes((i * 7 + j * 50) % 256 for i in range(16) for j in range(4)), colors=16)

save(color, "color.ppm")
save(gray, "gray.pgm")
save(gray.point(lambda v: 255 * (v > 99)).convert("1"), "bits.pbm")
(target / "text.pgm").write_text(
    f"P2 # a comment\n{width} {height}\n# another\n200\n" + "\n".join(" ".join(str(v % 201) for v in row) for row in noisy[..., 0]))
keep("text.pgm", "L")
(target / "text.ppm").write_text(f"P3\n{width} {height} 255\n" + "\n".join(" ".join(map(str, row.flatten())) for row in noisy))
keep("text.ppm")
(target / "text.pbm").write_text(f"P1\n{width} {height}\n" + "\n".join("".join("01"[int(v > 99)] for v in row) for row in noisy[..., 0]))
keep("text.pbm")
(target / "deep.ppm").write_bytes(f"P6 {width} {height} 65535\n".encode() + (noisy.astype(">u2") * 257).tobytes())
arrays["deep.ppm"] = noisy
(target / "few.pgm").write_bytes(f"P5\n{width} {height}\n100\n".encode() + (noisy[..., 0] % 101).tobytes())
keep("few.pgm", "L")

for mode, name in (("L", "color.png"), ("RGBA", "color.png"), ("RGB", "opacity.png"), ("RGBA", "gray.png"), ("RGB", "gray.png")):
    pixels = np.asarray(Image.open(target / name).convert(mode))
    arrays[f"{name} {mode}"] = pixels.reshape(height, width, -1)
np.savez_compressed(target / "pixels.npz", **arrays)
print(len(arrays), "arrays,", sum(f.stat().st_size for f in target.iterdir()), "bytes")
