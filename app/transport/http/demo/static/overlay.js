/** A class activation map over its photo. */

const LONGEST = 1600;
/** Colours by strength, dark to light (matplotlib's inferno, every eighth). */
const COLOURS = [
  [20, 11, 53], [58, 9, 99], [96, 19, 110], [133, 33, 107], [169, 46, 94], [203, 65, 73],
  [230, 93, 47], [247, 131, 17], [252, 173, 18], [245, 219, 76], [252, 255, 164],
];

/** Draws the photo and the map; tells whether a part of the photo lies outside of the crop. */
export function drawPhoto(canvas, photo, map, crop, opacity) {
  const scale = Math.min(1, LONGEST / Math.max(photo.width, photo.height));
  canvas.width = Math.max(1, Math.round(photo.width * scale));
  canvas.height = Math.max(1, Math.round(photo.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  const [left, top, right, bottom] = (crop ?? [0, 0, photo.width, photo.height]).map((edge) => edge * scale);
  if (map) {
    context.globalAlpha = opacity;
    context.drawImage(coloured(map), left, top, right - left, bottom - top);
    context.globalAlpha = 1;
  }
  context.fillStyle = "rgba(10, 12, 16, .62)";
  const outside = new Path2D();
  outside.rect(0, 0, canvas.width, canvas.height);
  outside.rect(left, top, right - left, bottom - top);
  context.fill(outside, "evenodd");
  return left > 1 || top > 1 || right < canvas.width - 1 || bottom < canvas.height - 1;
}

/** Where a map is strongest, in words. */
export function place(map) {
  const values = map.flat();
  const peak = values.indexOf(Math.max(...values));
  const [row, column] = [Math.floor(peak / map[0].length), peak % map[0].length];
  const third = (index, count, names) => names[Math.min(2, Math.floor((3 * (index + 0.5)) / count))];
  const vertical = third(row, map.length, ["at the top", "in the middle", "at the bottom"]);
  const across = third(column, map[0].length, [" left", "", " right"]);
  return vertical + across;
}

/** A pixel for each position; what speaks against the class, or hardly for it, lets the photo through. */
function coloured(map) {
  const small = document.createElement("canvas");
  [small.width, small.height] = [map[0].length, map.length];
  const context = small.getContext("2d");
  const pixels = context.createImageData(small.width, small.height);
  const values = map.flat();
  const most = Math.max(...values);
  values.forEach((value, index) => {
    const strength = most > 0 ? Math.max(0, value / most) : 0;
    const [red, green, blue] = COLOURS[Math.round(strength * (COLOURS.length - 1))];
    pixels.data.set([red, green, blue, 255 * Math.sqrt(strength)], 4 * index);
  });
  context.putImageData(pixels, 0, 0);
  return small;
}
