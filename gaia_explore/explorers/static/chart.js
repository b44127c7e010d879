// A chart: layers on a canvas, handles that are dragged, and what the pointer finds.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
const REACH = 12;

class Chart {
  constructor(leaf, view) {
    Object.assign(this, { leaf, view, contents: {}, gesture: 0, active: -1, hovered: -1, marked: -1, markedKind: "", line: null });
    [this.width, this.height] = leaf.size;
    [this.base, this.under] = canvasOf(this.width, this.height, { "aria-hidden": "true" });
    const role = { className: "gx-over", tabIndex: 0, role: "application", "aria-label": leaf.label };
    [this.overlay, this.over] = canvasOf(this.width, this.height, role);
    [this.thumb, this.thumbContext] = canvasOf(96, 96, { hidden: true });
    this.words = make("div");
    this.hover = make("div", { className: "gx-hover", hidden: true }, this.thumb, this.words);
    this.axes = make("div", { className: "gx-axes" });
    this.legends = make("div", { className: "gx-legend" });
    const map = make("div", { className: "gx-map" }, this.base, this.overlay, this.hover);
    for (const part of [map, this.axes, this.legends]) part.style.width = `${this.width}px`;
    const title = make("div", { className: "gx-title", textContent: leaf.label });
    this.element = make("div", {}, title, ...this.toolbar(), map, this.axes, this.legends);
    // What stands around the map is no wider than it.
    this.element.style.width = `${this.width + 2}px`;
    this.listen();
  }

  toolbar() {
    this.tools = [];
    if (!(this.leaf.tools?.length > 1)) return [];
    const name = `tool-${Math.random()}`;
    this.tools = this.leaf.tools.map((value, i) => make("input", { type: "radio", name, value, checked: !i }));
    const labels = this.tools.map((input) => make("label", {}, input, input.value));
    return [make("fieldset", { className: "gx-bar" }, make("legend", { textContent: "Drag" }), ...labels)];
  }

  get tool() {
    return this.tools.find((input) => input.checked)?.value ?? this.leaf.tools?.[0] ?? "none";
  }

  update(layer, content) {
    if (!layer) return this.place(content.plain);
    const kind = this.leaf.layers.find(([name]) => name === layer)[1];
    const before = this.contents[layer];
    this.contents[layer] = { kind, ...content };
    if (kind === "handles" && before) this.keepDragged(this.contents[layer], before);
    this.project(this.contents[layer]);
    if (kind === "handles") return this.later();
    this.later(true);
  }

  remove(layer) {
    delete this.contents[layer];
    this.later(true);
  }

  /** A drag that goes on is ahead of the kernel. */
  keepDragged({ arrays }, before) {
    if (![...this.view.link.pending.keys()].includes(`${this.leaf.name} move`)) return;
    const at = 2 * this.active;
    arrays.xy.set(before.arrays.xy.slice(at, at + 2), at);
  }

  place({ extent, axes, label, sheets, log = false }) {
    [this.left, this.right, this.bottom, this.top] = extent;
    this.log = log;
    Object.assign(this, { scaleX: this.width / (this.right - this.left), scaleY: this.height / (this.top - this.bottom) });
    this.rows = sheets ?? 0;
    this.axes.textContent = [`→ ${axes[0]}`, `↑ ${axes[1]}`].filter((words) => words.length > 2).join("   ");
    const keys = !this.leaf.still && this.leaf.layers.some(([, kind]) => kind === "handles") ? " Arrow keys move the cursor." : "";
    this.overlay.setAttribute("aria-label", `${label ?? this.leaf.label}.${keys}`);
    Object.values(this.contents).forEach((content) => this.project(content));
    this.later(true);
  }

  project(content) {
    const { xy } = content.arrays;
    if (!xy || this.scaleX === undefined) return;
    content.pixels = new Float32Array(xy.length);
    for (let i = 0; i < xy.length; i += 2) [content.pixels[i], content.pixels[i + 1]] = this.to(xy[i], xy[i + 1]);
    if (content.kind === "points") this.grid = new HitGrid(content.pixels);
  }

  to = (x, y) => [(x - this.left) * this.scaleX, (this.top - y) * this.scaleY];
  from = (px, py) => [this.left + px / this.scaleX, this.top - py / this.scaleY];
  /** Handles that can be moved. */
  get grips() {
    return this.leaf.still ? undefined : this.of("handles");
  }
  of = (kind) => Object.values(this.contents).find((content) => content.kind === kind && content.pixels);

  /** Draw once, before the next frame of the screen; the layers too, if they changed. */
  later(layers = false) {
    this.changed ||= layers;
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      if (this.scaleX === undefined) return;
      if (this.changed) this.drawLayers();
      this.changed = false;
      this.drawOver();
    });
  }

  ink() {
    const { color, backgroundColor } = getComputedStyle(this.overlay.parentElement);
    const numbers = color.match(/[\d.]+/g).slice(0, 3).map(Number);
    return { css: color, paper: backgroundColor, numbers, width: this.width, height: this.height, scale: this.scaleX };
  }

  drawLayers() {
    const [context, ink] = [this.under, this.ink()];
    context.clearRect(0, 0, this.width, this.height);
    const rows = Object.values(this.contents).find(({ kind }) => kind === "selection")?.arrays.rows ?? [];
    for (const [name] of this.leaf.layers) {
      const content = this.contents[name];
      if (!content) continue;
      context.save();
      if (content.kind === "fog") drawFog(context, content, ink);
      else if (content.kind === "points") drawPoints(context, content, rows);
      else if (content.kind === "tiles") drawTiles(context, content, ink);
      else if (!["selection", "handles"].includes(content.kind)) drawShapes(context, content, ink);
      context.restore();
    }
    if (this.leaf.ticks) this.drawTicks(context, ink);
    const legends = this.leaf.layers.flatMap(([name]) => (this.contents[name] ? legendOf(this.contents[name]) : []));
    this.legends.replaceChildren(...legends);
  }

  drawTicks(context, { css, paper }) {
    Object.assign(context, { font: "10px sans-serif", fillStyle: css, strokeStyle: paper, lineWidth: 3, globalAlpha: 0.8 });
    const write = (text, x, y) => {
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    };
    for (const x of ticks(this.left, this.right)) write(short(x), this.to(x, 0)[0] + 2, this.height - 3);
    for (const y of ticks(this.bottom, this.top)) write(short(this.log ? 10 ** y : y), 2, this.to(0, y)[1] + 3);
    context.globalAlpha = 1;
  }

  drawOver() {
    const [context, ink] = [this.over, this.ink()];
    context.clearRect(0, 0, this.width, this.height);
    const handles = this.of("handles");
    handles?.plain.labels.forEach((label, i) =>
      drawHandle(context, ...corner(handles.pixels, i), label, handles.plain.upright, ink),
    );
    const points = this.of("points");
    if (this.hovered >= 0 && points) ring(context, ...corner(points.pixels, this.hovered), 6, ink);
    if (this.marked >= 0) this.drawMarked(context, ink);
    if (!this.line) return;
    const { tool, points: places } = this.line;
    Object.assign(context, { strokeStyle: ink.css, lineWidth: 1 });
    context.beginPath();
    trace(context, tool === "box" ? boxLine(places, places.at(-1)) : places);
    context.closePath();
    context.setLineDash([4, 3]);
    context.stroke();
    context.setLineDash([]);
  }

  drawMarked(context, ink) {
    const content = this.of(this.markedKind);
    const size = this.markedKind === "cells" ? 4 : 2;
    if (!content || (this.marked + 1) * size * 2 > content.pixels.length) return;
    for (const [width, colour] of [[6, ink.paper], [3, ink.css]]) { // prettier-ignore
      Object.assign(context, { lineWidth: width, strokeStyle: colour });
      context.beginPath();
      trace(context, Array.from({ length: size }, (_, k) => corner(content.pixels, size * this.marked + k)));
      context.closePath();
      context.stroke();
    }
  }

  /** The row and the layer of what is under the pointer and other charts have too: an edge, or the cell around it. */
  linkedAt(x, y) {
    const { linked } = this.leaf;
    const charts = linked ? this.view.charts().filter(({ leaf }) => leaf.linked === linked) : [];
    for (const kind of ["segments", "cells"].filter((kind) => charts.length && charts.every((chart) => chart.of(kind)))) {
      const row = markAt(this.of(kind), x, y, this.of("cells") ? 2.5 : 5);
      if (row >= 0) return [row, kind];
    }
    return [-1, ""];
  }

  at(event) {
    const box = this.overlay.getBoundingClientRect();
    const inWidth = Math.min(Math.max(event.clientX - box.left, 0), this.width);
    return [inWidth, Math.min(Math.max(event.clientY - box.top, 0), this.height)];
  }

  listen() {
    this.overlay.onpointerdown = (event) => this.down(event);
    this.overlay.onpointermove = (event) => {
      if (this.line) this.line.points.push(this.at(event));
      else if (event.buttons && this.dragged) this.moveTo(this.from(...this.at(event)));
      else if (!event.buttons) this.find(...this.at(event));
      this.later();
    };
    this.overlay.onpointerup = this.overlay.onpointercancel = () => {
      this.dragged = false;
      if (this.line) this.endLine();
    };
    this.overlay.onpointerleave = () => this.show(-1, -1, "");
    this.overlay.onkeydown = (event) => this.key(event);
    this.overlay.onfocus = this.overlay.onblur = () => this.later();
  }

  down(event) {
    if (this.scaleX === undefined) return;
    this.overlay.setPointerCapture(event.pointerId);
    // A map that is half in view must not slide away under the pointer.
    this.overlay.focus({ preventScroll: true });
    this.gesture++;
    const place = this.at(event);
    const tool = event.shiftKey && this.leaf.tools?.includes("lasso") ? "lasso" : this.tool;
    if (tool === "box" || tool === "lasso") this.line = { tool, points: [place] };
    else if (tool === "anchor") this.pick({ row: this.grid?.nearest(...place) ?? -1 });
    else this.grab(place);
  }

  pick(value) {
    if (value.row !== -1) this.view.event(this.leaf.name, "pick", value);
  }

  /** Take hold of the handle under the pointer, or of the one that goes wherever one clicks. */
  grab([x, y]) {
    const handles = this.grips;
    if (!handles) return;
    const away = (i) => Math.hypot(handles.pixels[2 * i] - x, handles.pixels[2 * i + 1] - y);
    const near = (handles.plain.free ?? []).filter((i) => away(i) < REACH).sort((i, j) => away(i) - away(j));
    this.active = near[0] ?? handles.plain.moves;
    this.dragged = this.active >= 0;
    if (this.dragged && near[0] === undefined) this.moveTo(this.from(x, y));
  }

  moveTo(place) {
    const { arrays, pixels } = this.of("handles");
    arrays.xy.set(place, 2 * this.active);
    pixels.set(this.to(...place), 2 * this.active);
    this.show(-1, -1, "");
    const value = { handle: this.active, at: place };
    this.view.event(this.leaf.name, "move", value, { gesture: `${this.leaf.name} ${this.gesture}` });
    this.later();
  }

  endLine() {
    const { tool, points } = this.line;
    this.line = null;
    const rows = inside(this.of("points")?.pixels ?? [], tool === "box" ? boxLine(points, points.at(-1)) : points);
    this.view.event(this.leaf.name, "select", undefined, { buffers: [rows.buffer] });
    this.later();
  }

  key(event) {
    const handles = this.grips;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = ARROWS[event.key];
    const own = this.active >= 0 ? this.active : handles?.plain.moves ?? -1;
    if (step && own >= 0) {
      event.preventDefault();
      this.active = own;
      const far = (event.shiftKey ? 10 : 1) / 100;
      // Keys that repeat are one gesture, as a drag is.
      if (!event.repeat) this.gesture++;
      const [x, y] = corner(handles.arrays.xy, own);
      this.moveTo([x + far * (this.right - this.left) * step[0], y + far * (this.top - this.bottom) * step[1]]);
    } else if (event.key === "Escape") this.line = null;
    else if (!this.leaf.tools?.includes("anchor")) return;
    else if (event.key === "a") this.pick({});
    else if ("123456789".includes(event.key)) this.pick({ place: Number(event.key) - 1 });
    this.later();
  }

  /** What is under the pointer: a point, or a mark that other charts have too. */
  find(x, y) {
    const row = !this.leaf.linked && this.of("points") && this.grid ? this.grid.nearest(x, y) : -1;
    this.show(row, ...this.linkedAt(x, y), x, y);
  }

  show(row, mark, kind, x, y) {
    if (row === this.hovered && mark === this.marked && kind === this.markedKind) return;
    this.hovered = row;
    if (this.leaf.linked) this.view.mark(this.leaf.linked, mark, kind);
    const found = this.of(row >= 0 ? "points" : kind);
    const which = row >= 0 ? row : mark;
    this.hover.hidden = which < 0 || !found;
    this.later();
    if (this.hover.hidden) return;
    const numbers = found.arrays.numbers;
    const told = [found.plain.word && `${found.plain.word} ${which}`, numbers && meaning(found.plain.legend, numbers[which])];
    this.words.textContent = told.filter(Boolean).join(" · ");
    this.showThumbnail();
    const [left, top] = row >= 0 ? corner(found.pixels, row) : [x, y];
    this.hover.style.left = left > this.width / 2 ? "" : `${left + 14}px`;
    this.hover.style.right = left > this.width / 2 ? `${this.width - left + 14}px` : "";
    this.hover.style.top = `${Math.min(Math.max(top - 40, 4), this.height - 140)}px`;
  }

  showThumbnail() {
    const picture = this.leaf.thumbnails && this.hovered >= 0 && this.view.thumbnail(this.hovered);
    this.thumb.hidden = !picture;
    this.thumbContext.clearRect(0, 0, 96, 96);
    if (picture) drawInto(this.thumbContext, picture, 0, 0, 96);
  }

  mark(row, kind) {
    this.marked = row;
    this.markedKind = kind;
    this.later();
  }
}

function swatch(tag, background) {
  const element = make(tag);
  element.style.background = background;
  return element;
}

/** What colours and fog mean. */
function legendOf({ kind, plain, arrays }) {
  if (kind === "fog") {
    const [low, high] = fogRange(arrays.values);
    const bar = swatch("b", "linear-gradient(90deg, transparent, currentColor)");
    return [make("span", { textContent: plain.what }), make("span", {}, short(low), bar, short(high))];
  }
  const legend = plain.legend;
  if (!legend?.name) return [];
  const spans = [make("span", { textContent: legend.name })];
  const table = colourTable(legend);
  for (const [i, name] of (legend.classes ?? []).slice(0, 16).entries())
    spans.push(make("span", {}, swatch("i", table[i]), name));
  if (legend.classes?.length > 16) spans.push(make("span", { textContent: `and ${legend.classes.length - 16} more` }));
  if (legend.scale) {
    const bar = swatch("b", `linear-gradient(90deg, ${legend.scale.join(",")})`);
    spans.push(make("span", {}, said(legend, legend.low), bar, said(legend, legend.high)));
  }
  if (arrays.numbers?.includes(255)) spans.push(make("span", {}, swatch("i", legend.missing), "missing"));
  return spans;
}
