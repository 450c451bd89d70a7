"""Writes data/picture/testdata/canny.json.gz: the contours that OpenCV's Canny finds in pictures of noise, of shapes and of both, with and
without GaussianBlur before it.

    python scripts/golden/canny.py        with opencv-python-headless 5.0.0 beside scripts/python/requirements.txt

Pictures and contours are base64 of bytes, a row a line, the channels of a pixel beside each other.
"""

import base64
import gzip
import json
import pathlib

import cv2
import numpy as np

rng = np.random.default_rng(5)
cases = []
for height, width, channels in [(40, 56, 3), (33, 33, 1), (1, 9, 3), (7, 2, 1)]:
    y, x = np.mgrid[:height, :width]
    smooth = 120 + 80 * np.sin(x / 5)[..., None] * np.cos(y[..., None] / 7 + np.arange(channels) * 1.3)
    disc = np.where(((x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2)[..., None], rng.integers(0, 256, channels), 255)
    noise = rng.integers(0, 256, (height, width, channels))
    for picture in smooth, disc, noise, 0.8 * disc + 0.2 * noise:
        picture = np.clip(np.round(picture), 0, 255).astype(np.uint8)
        for low, high, blur in [(100, 200, 0), (20, 60, 0), (30, 400, 0), (40, 120, 1.0)]:
            source = picture
            if blur:
                size = 2 * int(np.ceil(3 * blur)) + 1
                source = cv2.GaussianBlur(picture, (size, size), blur, borderType=cv2.BORDER_REFLECT_101)
            source = source.reshape(height, width, channels) if channels > 1 else source.reshape(height, width)
            found = cv2.Canny(source, low, high)
            code = lambda a: base64.b64encode(a.tobytes()).decode()
            cases.append({"height": height, "width": width, "channels": channels, "low": low, "high": high, "blur": blur, "picture": code(picture), "contours": code(found)})
path = pathlib.Path(__file__).parent.parent.parent / "data/picture/testdata/canny.json.gz"
path.write_bytes(gzip.compress(json.dumps(cases).encode(), 9, mtime=0))
