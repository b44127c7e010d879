// The layers of a chart: how each kind is drawn, which mark is under the pointer, what is inside a line.

const SHAPES = 4;

/** The colour of each colour number, and of what is missing. */
function colourTable(legend) {
  const colours = Array(256).fill(legend.missing);
  if (legend.classes) legend.classes.forEach((_, i) => (colours[i] = legend.palette[i % legend.palette.length]));
  else if (legend.scale)
    for (let i = 0; i < 255; i++) colours[i] = legend.scale[Math.round((i / 254) * (legend.scale.length - 1))];
  return colours;
}

/** A value of a legend, which may be a power of ten. */
const said = (legend, value) => short(legend.log ? 10 ** value : value);

/** What a colour number means, in words. */
function meaning(legend, number) {
  if (!legend?.name) return "";
  if (number === 255) return `${legend.name} missing`;
  const value = legend.classes?.[number] ?? said(legend, legend.low + ((legend.high - legend.low) * number) / 254);
  return `${legend.name} ${value}`;
}

/** Finds the point nearest to a pixel by looking into the cells around it only. */
class HitGrid {
  constructor(pixels, cell = 8) {
    Object.assign(this, { pixels, cell, cells: new Map() });
    for (let row = 0; row < pixels.length / 2; row++) {
      const key = this.key(pixels[2 * row], pixels[2 * row + 1]);
      if (!this.cells.has(key)) this.cells.set(key, []);
      this.cells.get(key).push(row);
    }
  }
  key(x, y) {
    return Math.floor(x / this.cell) * 65536 + Math.floor(y / this.cell);
  }
  nearest(x, y) {
    let best = -1;
    let least = this.cell ** 2;
    for (const dx of [-this.cell, 0, this.cell])
      for (const dy of [-this.cell, 0, this.cell])
        for (const row of this.cells.get(this.key(x + dx, y + dy)) ?? []) {
          const away = (this.pixels[2 * row] - x) ** 2 + (this.pixels[2 * row + 1] - y) ** 2;
          if (away < least) [best, least] = [row, away];
        }
    return best;
  }
}

/** Rows of the points inside a closed line of pixels (even–odd rule). */
function inside(pixels, line) {
  const rows = [];
  // Plain numbers and no corners as lists: it is done for every point and every corner.
  const [xs, ys] = [0, 1].map((axis) => Float64Array.from(line, (place) => place[axis]));
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  for (let row = 0; row < pixels.length / 2; row++) {
    const x = pixels[2 * row];
    const y = pixels[2 * row + 1];
    if (!(x >= left && x <= right && y >= top && y <= bottom)) continue;
    let within = false;
    for (let i = 0, j = xs.length - 1; i < xs.length; j = i++)
      if (ys[i] > y !== ys[j] > y && x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) within = !within;
    if (within) rows.push(row);
  }
  return Uint32Array.from(rows);
}

function boxLine([[x0, y0]], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]; // prettier-ignore
}

const corner = (pixels, at) => [pixels[2 * at], pixels[2 * at + 1]];

/** The row of the cell that holds a pixel, or of the segment so near to it; −1 for none. */
function markAt({ kind, pixels }, x, y, reach) {
  const size = kind === "cells" ? 4 : 2;
  for (let row = 0; row < pixels.length / 2 / size; row++) {
    const corners = Array.from({ length: size }, (_, k) => corner(pixels, size * row + k));
    if (kind === "cells") {
      if (inside([x, y], corners).length) return row;
    } else {
      const [[ax, ay], [bx, by]] = corners;
      const square = (bx - ax) ** 2 + (by - ay) ** 2 || 1;
      const share = Math.min(Math.max(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / square, 0), 1);
      if (Math.hypot(ax + share * (bx - ax) - x, ay + share * (by - ay) - y) < reach) return row;
    }
  }
  return -1;
}

/** A line through corners, begun anew where one is no number. */
function trace(context, corners) {
  let drawing = false;
  for (const [x, y] of corners) {
    if (drawing) context.lineTo(x, y);
    else context.moveTo(x, y);
    drawing = !Number.isNaN(x + y);
  }
}

function pointMark(context, x, y, radius, shape) {
  if (shape === 1) context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
  else if (shape === 0) {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
  } else {
    const up = shape === 2 ? 1 : -1;
    trace(context, [[x, y - up * 1.3 * radius], [x + 1.2 * radius, y + up * radius], [x - 1.2 * radius, y + up * radius]]); // prettier-ignore
    context.closePath();
  }
}

/** Draw all points, a colour at a time; those not selected are faint where any is. */
function drawPoints(context, { pixels, arrays: { numbers }, plain: { legend } }, selection) {
  const table = colourTable(legend);
  const n = pixels.length / 2;
  const radius = n > 20000 ? 1.2 : n > 4000 ? 1.8 : 2.6;
  const chosen = new Uint8Array(n);
  for (const row of selection) chosen[row] = 1;
  const layers = selection.length ? [[0, 0.15], [1, 0.95]] : [[0, 0.75]]; // prettier-ignore
  for (const [which, alpha] of layers) {
    const rows = Array.from({ length: 256 }, () => []);
    for (let row = 0; row < n; row++) if (!selection.length || chosen[row] === which) rows[numbers[row]].push(row);
    context.globalAlpha = alpha;
    rows.forEach((own, number) => {
      context.beginPath();
      const shape = legend.classes && number < 255 ? Math.floor(number / legend.palette.length) % SHAPES : 0;
      for (const row of own) pointMark(context, pixels[2 * row], pixels[2 * row + 1], radius, shape);
      context.fillStyle = table[number];
      context.fill();
    });
  }
}

/** The range of a map that is shown: all but its extremes. */
function fogRange(values) {
  const known = values.filter((value) => !Number.isNaN(value)).sort();
  if (!known.length) return [0, 1];
  return [0.02, 0.98].map((share) => known[Math.round(share * (known.length - 1))]);
}

/** Fog where values are large, in the page's ink, so that it works on white and on black. */
function drawFog(context, { arrays: { values } }, { width, height, numbers }) {
  const [low, high] = fogRange(values);
  const [rows, columns] = values.shape;
  const small = make("canvas", { width: columns, height: rows });
  const own = small.getContext("2d");
  const image = own.createImageData(columns, rows);
  values.forEach((value, i) => {
    const share = Math.min(Math.max((value - low) / (high - low || 1), 0), 1);
    image.data.set([...numbers, Number.isNaN(value) ? 0 : 110 * share], 4 * i);
  });
  own.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, width, height);
}

function styled(context, style, { css }) {
  Object.assign(context, { strokeStyle: css, lineWidth: style === "bold" ? 2.2 : 1 });
  context.globalAlpha = style === "faint" ? 0.45 : 0.9;
  context.setLineDash(style === "dashed" ? [5, 4] : []);
}

/** Segments, cells or lines: shapes of several corners each, in one style or a colour each. */
function drawShapes(context, { kind, pixels, arrays, plain }, ink) {
  styled(context, plain.style, ink);
  const size = { cells: 4, segments: 2 }[kind];
  const n = pixels.length / 2;
  const starts = size ? Array.from({ length: n / size }, (_, i) => i * size) : [...(arrays.starts ?? [0])];
  const table = arrays.numbers && colourTable(plain.legend);
  starts.forEach((start, i) => {
    const end = starts[i + 1] ?? n;
    context.beginPath();
    trace(context, Array.from({ length: end - start }, (_, k) => corner(pixels, start + k)));
    if (plain.closed || kind === "cells") context.closePath();
    if (table) context.strokeStyle = context.fillStyle = table[arrays.numbers[i]];
    if (kind === "cells" && table) context.fill();
    context.stroke();
  });
}

function drawTiles(context, { pixels, arrays: { rgba }, plain: { size, borders } }, { scale }) {
  const side = size * scale;
  for (let i = 0; i < rgba.shape[0]; i++) {
    const [x, y] = corner(pixels, i);
    drawInto(context, pictureOf(rgba, i), x - side / 2, y - side / 2, side);
    if (!borders[i]) continue;
    Object.assign(context, { strokeStyle: borders[i], lineWidth: 2 });
    context.strokeRect(x - side / 2, y - side / 2, side, side);
  }
}

function ring(context, x, y, radius, { css, paper }) {
  for (const [width, colour] of [[5, paper], [2, css]]) { // prettier-ignore
    Object.assign(context, { lineWidth: width, strokeStyle: colour });
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** A handle: a cross, a ring with its label, or an upright line. */
function drawHandle(context, x, y, label, upright, ink) {
  context.globalAlpha = 1;
  if (upright) {
    Object.assign(context, { lineWidth: 2, strokeStyle: ink.css });
    context.beginPath();
    trace(context, [[x, 0], [x, ink.height]]); // prettier-ignore
    return context.stroke();
  }
  ring(context, x, y, label ? 7 : 8, ink);
  if (label) {
    Object.assign(context, { font: "bold 12px sans-serif", lineWidth: 3, strokeStyle: ink.paper, fillStyle: ink.css });
    context.strokeText(label, x + 11, y + 4);
    return context.fillText(label, x + 11, y + 4);
  }
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) trace(context, [[x + 4 * dx, y + 4 * dy], [x + 14 * dx, y + 14 * dy]]); // prettier-ignore
  context.stroke();
}

/** A few round numbers between two. */
function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((times) => times * power >= rough) * power;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}
