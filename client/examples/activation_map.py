"""Draws where in a photo the network saw its class; cells for a notebook.

As a program: `python activation_map.py photo.jpg map.png [URL]`.
"""

# %% The photo, and its best class with the class activation map (Zhou et al. 2016)
import sys

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image, ImageOps

from senet_client import Client

mpl.use("Agg")
photo, output, url = [*sys.argv[1:], "http://127.0.0.1:8000"][:3]
with Client(url) as client:
    answer = client.classify(photo, top_k=1, include=["cam"])
    model = next(own for own in client.models() if own.digest == answer.model.digest)
best = answer.predictions[0]
cam = np.asarray(best.cam)  # [h, w], in units of logits
print(f"{best.label}: map of {cam.shape[0]} x {cam.shape[1]}")

# %% The map over the part of the photo that the network saw
image = Image.open(photo)
if model.exif_transpose:
    image = ImageOps.exif_transpose(image)
image = image.convert("RGB")
left, top, right, bottom = answer.crop or (0, 0, *image.size)
place = (left, right, bottom, top)
figure, axes = plt.subplots(figsize=(5, 5))
axes.imshow(image, alpha=0.3)
axes.imshow(image.crop((round(left), round(top), round(right), round(bottom))), extent=place)
axes.imshow(cam, extent=place, interpolation="bicubic", cmap="inferno", alpha=0.5)
axes.set(xlim=(0, image.width), ylim=(image.height, 0))
axes.set_title(f"{best.label} ({best.score:.0%})")
axes.axis("off")
figure.savefig(output)
