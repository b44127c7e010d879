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

function blend(tiles, places, smooth) {
  const size = tiles.length / tiles.shape[0];
  const nearest = places.reduce((best, place) => (place[1] > best[1] ? place : best))[0];
  if (!smooth) return tiles.slice(nearest * size, (nearest + 1) * size);
  const sum = new Float32Array(size);
  for (const [place, weight] of places) for (let i = 0; i < size; i++) sum[i] += weight * tiles[place * size + i];
  return Uint8Array.from(sum, Math.round);
}

class Offline {
  constructor(page) {
    Object.assign(this, { page, offline: true });
  }

  async prepare() {
    this.walks = await Promise.all(
      this.page.walks.map(async (walk) => {
        const tiles = await Promise.all(walk.pictures.map(async ({ name, sheet }) => [name, await tilesOf(sheet)]));
        return { ...walk, tiles };
      }),
    );
    this.sheets = this.page.thumbnails && (await tilesOf(this.page.thumbnails));
    return this;
  }

  on = (_, callback) => (this.callback = callback);
  off() {}

  send(request, _, buffers) {
    const { parts, buffers: own, ...more } = this.answer(request, buffers);
    queueMicrotask(() => this.callback({ type: "frame", late: [], gone: [], ...more, parts, view: request.view, seq: request.seq }, own)); // prettier-ignore
  }

  answer(request, buffers) {
    if (request.type === "open") {
      const { layout, label, parts } = this.page;
      return { layout, label, parts, buffers: this.page.buffers.map(bytesOf) };
    }
    if (request.what === "select") {
      const arrays = [{ name: "rows", dtype: "uint32", shape: [buffers[0].byteLength / 4] }];
      return { parts: [{ name: `${request.name}.selection`, plain: {}, arrays }], buffers: [new Uint8Array(buffers[0])] };
    }
    const walk = this.walks.find(({ leaf, what }) => leaf === request.name && what === request.what);
    return walk ? this.go(walk, request.value) : { parts: [], buffers: [] };
  }

  /** What is shown at a place of a walk; every other walk's control returns to where the page began. */
  go(walk, value) {
    const places = around(walk, value.at ?? [value]);
    const nearest = places.reduce((best, place) => (place[1] > best[1] ? place : best))[0];
    const others = this.walks.filter((other) => other.what === "set" && other !== walk).map((other) => other.leaf);
    const parts = this.page.parts.filter((part) => others.includes(part.name));
    for (const [name, texts] of Object.entries(walk.texts))
      parts.push({ name, plain: { text: texts[nearest], live: true }, arrays: [] });
    const pictures = walk.tiles.map(([name, tiles]) => {
      const [, ...shape] = tiles.shape;
      const { plain } = this.page.parts.find((part) => part.name === name);
      parts.push({ name, plain, arrays: [{ name: "rgba", dtype: "uint8", shape: [1, ...shape] }] });
      return blend(tiles, places, walk.smooth);
    });
    return { parts, buffers: pictures };
  }
}

for (const page of JSON.parse(document.getElementById("pages").textContent)) {
  const el = document.getElementById("explorers").appendChild(make("section", {}, make("h1", { textContent: page.label })));
  new Offline(page).prepare().then((model) => {
    const view = new View(model, el);
    if (model.sheets) view.offlineSheets = model.sheets;
  });
}
