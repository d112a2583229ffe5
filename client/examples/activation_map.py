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
best = answer.predictions[0]
cam = np.asarray(best.cam)  # [h, w], in units of logits
print(f"{best.label}: map of {cam.shape[0]} x {cam.shape[1]}")

# %% The part of the photo that the network saw: its centre, in the shape of the map
image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
side = min(image.size)
seen = ImageOps.fit(image, (side, side * cam.shape[0] // cam.shape[1]))

# %% The map over the photo
figure, axes = plt.subplots(figsize=(5, 5))
axes.imshow(seen)
axes.imshow(
    Image.fromarray(cam.astype(np.float32)).resize(seen.size, Image.Resampling.BICUBIC),
    cmap="inferno",
    alpha=0.5,
)
axes.set_title(f"{best.label} ({best.score:.0%})")
axes.axis("off")
figure.savefig(output)
