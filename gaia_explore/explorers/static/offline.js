// Stands in for the kernel in a page that has none: what it would answer lies in the page, decoded on grids.

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** All tiles of a sheet, one after the other, as (n, h, w, 4). */
async function tilesOf({ file, shape: [n, height, width], columns }) {
  const sheet = await createImageBitmap(new Blob([bytesOf(file)]), { premultiplyAlpha: "none" });
  const context = make("canvas", { width: sheet.width, height: sheet.height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(sheet, 0, 0);
  const rgba = new Uint8Array(4 * n * height * width);
  for (let i = 0; i < n; i++)
    rgba.set(context.getImageData((i % columns) * width, Math.floor(i / columns) * height, width, height).data, 4 * i * height * width);
  return Object.assign(rgba, { shape: [n, height, width, 4] });
}

/** Where a value lies on an axis of a grid: the place below, and the share of the way to the next. */
function along(value, low, high, n) {
  const at = Math.min(Math.max(((value - low) / (high - low || 1)) * (n - 1), 0), n - 1);
  const below = Math.min(Math.floor(at), Math.max(n - 2, 0));
  return [below, at - below];
}

/** The places of a grid around a point, with their weights. */
function around({ low, high, shape }, point) {
  let places = [[0, 1]];
  shape.forEach((n, axis) => {
    const [below, share] = along(point[axis], low[axis], high[axis], n);
    places = places.flatMap(([place, weight]) => [
      [place * n + below, weight * (1 - share)],
      [place * n + Math.min(below + 1, n - 1), weight * share],
    ]);
  });
  return places.filter(([, weight]) => weight > 0);
}

/** Pictures between places, with their transparency: nothing is seen of a colour that nothing is seen of. */
function blend(tiles, places) {
  const size = tiles.length / tiles.shape[0];
  const sum = new Float32Array(size);
  for (const [place, weight] of places)
    for (let i = 0; i < size; i += 4) {
      const pixel = place * size + i;
      const opacity = weight * tiles[pixel + 3];
      for (let k = 0; k < 3; k++) sum[i + k] += opacity * tiles[pixel + k];
      sum[i + 3] += opacity;
    }
  return Uint8ClampedArray.from(sum, (value, i) => (i % 4 === 3 ? value : value / (sum[i | 3] || 1)));
}

/** A part as a message tells it, and its buffers. */
function packed({ name, plain, arrays }) {
  const dtype = (array) => Object.keys(TYPES).find((type) => array instanceof TYPES[type]);
  const described = Object.entries(arrays).map(([own, array]) => ({ name: own, dtype: dtype(array), shape: array.shape }));
  return [{ name, plain, arrays: described }, Object.values(arrays)];
}

class Offline {
  constructor(page) {
    Object.assign(this, { page, offline: true });
  }

  async prepare() {
    const { parts, buffers, sheets, walks, thumbnails } = this.page;
    this.parts = Object.fromEntries(unpack({ parts }, buffers.map(bytesOf)).map((part) => [part.name, part]));
    for (const [name, sheet] of Object.entries(sheets)) this.parts[name].arrays.rgba = await tilesOf(sheet);
    this.sheets = thumbnails && (await tilesOf(thumbnails));
    for (const walk of walks) {
      walk.tiles = {};
      for (const [name, sheets] of Object.entries(walk.sheets)) walk.tiles[name] = await Promise.all(sheets.map(tilesOf));
      walk.names = [...Object.keys(walk.plain), ...walk.gone, ...Object.keys(walk.controls).map((name) => this.shownBy(walk, name))];
    }
    return this;
  }

  /** The part that shows where a walk is. */
  shownBy = ({ controls }, name) => (controls[name] === "move" ? `${name}.handles` : name);

  on = (_, callback) => (this.callback = callback);
  off() {}

  send(request, _, buffers) {
    const { parts = [], ...more } = this.answer(request, buffers);
    const all = parts.map(packed);
    const message = { type: "frame", late: [], gone: [], ...more, parts: all.map(([part]) => part), view: request.view, seq: request.seq }; // prettier-ignore
    queueMicrotask(() => this.callback(message, all.flatMap(([, own]) => own)));
  }

  answer({ type, name, what, value }, buffers) {
    const { layout, label, walks, selecting } = this.page;
    if (type === "open") return { layout, label, parts: Object.values(this.parts) };
    if (what === "select") {
      const rows = new Uint32Array(buffers[0]);
      rows.shape = [rows.length];
      return { parts: [{ name: `${name}.selection`, plain: {}, arrays: { rows } }], gone: selecting.filter((part) => part !== `${name}.selection`) };
    }
    for (const walk of walks) {
      const stop = what === "click" ? walk.stops[name]?.[value] : null;
      const point = walk.controls[name] === what ? (value.at ?? [value]).slice(0, walk.shape.length) : stop;
      if (point) return this.go(walk, point);
    }
    return {};
  }

  /** What is shown at a place of a walk; what other walks show returns to where the page began. */
  go(walk, point) {
    const at = point.map((value, axis) => Math.min(Math.max(value, walk.low[axis]), walk.high[axis]));
    const places = around(walk, at);
    const nearest = places.reduce((best, place) => (place[1] > best[1] ? place : best));
    const others = this.page.walks.flatMap((other) => other.names).filter((name) => this.parts[name]);
    const parts = Object.fromEntries(others.map((name) => [name, { ...this.parts[name] }]));
    for (const name of walk.gone) delete parts[name];
    for (const [name, plain] of Object.entries(walk.plain)) parts[name].plain = { ...parts[name].plain, ...plain[nearest[0]] };
    for (const [name, tiles] of Object.entries(walk.tiles)) {
      const [, ...shape] = tiles[0].shape;
      const pictures = tiles.map((own) => blend(own, walk.smooth ? places : [[nearest[0], 1]]));
      const rgba = new Uint8Array(pictures.length * pictures[0].length);
      pictures.forEach((picture, i) => rgba.set(picture, i * picture.length));
      parts[name].arrays = { rgba: Object.assign(rgba, { shape: [tiles.length, ...shape] }) };
    }
    for (const [name, what] of Object.entries(walk.controls)) {
      const part = parts[this.shownBy(walk, name)];
      if (what === "set") part.plain = { ...part.plain, value: at[0] };
      else {
        const xy = Object.assign(part.arrays.xy.slice(), { shape: part.arrays.xy.shape });
        xy.set(at);
        part.arrays = { xy };
      }
    }
    return { parts: Object.values(parts), gone: walk.gone };
  }
}

const packedPages = new Blob([bytesOf(document.getElementById("pages").textContent)]).stream();

for (const page of await new Response(packedPages.pipeThrough(new DecompressionStream("deflate"))).json()) {
  const el = document.getElementById("explorers").appendChild(make("section", {}, make("h1", { textContent: page.label })));
  new Offline(page).prepare().then((model) => {
    const view = new View(model, el);
    if (model.sheets) view.offlineSheets = model.sheets;
  });
}
