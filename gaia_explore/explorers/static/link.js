// The page's end of the messages: one request under way, two where the way is longer than the work, and of each kind
// only the newest waits.

const TYPES = { float32: Float32Array, int32: Int32Array, uint32: Uint32Array, uint8: Uint8Array };

/** The parts of a message, each with its arrays out of the buffers. */
function unpack(message, buffers) {
  let next = 0;
  return (message.parts ?? []).map((part) => {
    const arrays = {};
    for (const { name, dtype, shape } of part.arrays) {
      const { buffer, byteOffset, byteLength } = buffers[next++];
      // A copy, because numbers must begin where their size divides the offset.
      arrays[name] = Object.assign(new TYPES[dtype](buffer.slice(byteOffset, byteOffset + byteLength)), { shape });
    }
    return { ...part, arrays };
  });
}

class Link {
  /** `shown(message, parts, own)` gets every answer; `busy(type)` is told what is under way, or "". */
  constructor(model, shown, busy) {
    Object.assign(this, { model, shown, busy, seq: 0, most: 1, underWay: new Map(), pending: new Map(), late: new Map() });
    this.view = Math.random().toString(36).slice(2);
    this.received = (message, buffers) => this.receive(message, buffers);
    model.on("msg:custom", this.received);
  }

  /** Ask for something; of requests with one key, those that have not left yet are replaced. */
  ask(content, { key = content.type, buffers = [], late = false } = {}) {
    const queue = late ? this.late : this.pending;
    const steps = content.steps && (queue.get(key)?.[0].steps ?? 0) + content.steps;
    // The newest goes last, whatever it replaces.
    queue.delete(key);
    queue.set(key, [steps ? { ...content, steps } : content, buffers]);
    this.next();
  }

  next() {
    const queue = this.pending.size || this.underWay.size ? this.pending : this.late;
    if (!queue.size && !this.underWay.size) this.busy("");
    if (!queue.size || this.underWay.size >= this.most) return;
    const [key, [content, buffers]] = queue.entries().next().value;
    queue.delete(key);
    this.underWay.set(++this.seq, performance.now());
    this.busy(content.type);
    this.model.send({ ...content, view: this.view, seq: this.seq }, undefined, buffers);
  }

  receive(message, buffers) {
    const own = message.view === this.view && this.underWay.has(message.seq);
    if (own) {
      // A second request on its way fills the time that the first one travels; where the kernel works, it would wait.
      this.most = 2 * message.milliseconds < performance.now() - this.underWay.get(message.seq) ? 2 : 1;
      this.underWay.delete(message.seq);
    }
    try {
      this.shown(message, unpack(message, buffers), own);
    } finally {
      if (own) this.next();
    }
  }

  close() {
    this.model.off("msg:custom", this.received);
  }
}

/** An element with its properties (`data-…`, `aria-…`, `role` and `scope` as attributes) and children. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "scope") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** A canvas of so many CSS pixels, sharp on any screen, and its context in CSS pixels. */
function canvasOf(width, height, properties = {}) {
  const canvas = make("canvas", properties);
  const scale = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: width * scale, height: height * scale });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return [canvas, context];
}

/** One of many pictures (n, h, w, 4), as a canvas of its own pixels. */
function pictureOf(rgba, i = 0) {
  const [, height, width] = rgba.shape;
  const canvas = make("canvas", { width, height });
  const size = 4 * height * width;
  const pixels = new Uint8ClampedArray(rgba.buffer, i * size, size);
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}

/** Draw a picture as large as a square, in whole pixels if it is enlarged. */
function drawInto(context, picture, x, y, side) {
  const scale = side / Math.max(picture.width, picture.height);
  context.imageSmoothingEnabled = scale < 1;
  context.drawImage(picture, x, y, picture.width * scale, picture.height * scale);
}

const short = (value) => Number(value.toPrecision(3)).toString();
