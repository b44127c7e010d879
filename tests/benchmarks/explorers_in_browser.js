// Measures explorers from within the page: what is drawn, when, and how long frames take.

(() => {
  const gx = (window.gx = { drawn: [], sent: [], frames: [], side: 64 });
  const now = () => performance.timeOrigin + performance.now();
  const root = () => document.querySelector(".gx[data-busy]");
  const map = () => root().querySelector(".gx-map .gx-over");
  const requests = () => Number(root().dataset.requests);
  const frame = () => new Promise(requestAnimationFrame);

  // Only stimuli have so many pixels a side: each that is drawn is of the answer that has just come.
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (image, ...rest) {
    if (image.width === gx.side && root()) gx.drawn.push({ seq: Number(root().dataset.answered), at: now() });
    return put.call(this, image, ...rest);
  };

  const tell = (type, [x, y]) => {
    const { left, top } = map().getBoundingClientRect();
    gx.last = now();
    map().dispatchEvent(
      new PointerEvent(type, { clientX: left + x, clientY: top + y, buttons: 1, pointerId: 1, bubbles: true }),
    );
    const seq = requests();
    if (gx.sent.at(-1)?.seq !== seq) gx.sent.push({ seq, at: gx.last });
  };

  const begin = () => {
    map().setPointerCapture = () => {};
    // A request that leaves when an answer comes carries the newest event.
    new MutationObserver(() => {
      const seq = requests();
      if (gx.sent.at(-1)?.seq !== seq) gx.sent.push({ seq, at: gx.last });
    }).observe(root(), { attributes: true, attributeFilter: ["data-requests"] });
    Object.assign(gx, { drawn: [], sent: [], frames: [] });
  };

  /** Until nothing is under way, and what was drawn is on the screen. */
  gx.settled = async () => {
    while (root().dataset.busy) await frame();
    await frame();
    await frame();
  };

  /** Drag through a circle for so long, `each` events a frame; the share of the circle that is gone gives the place. */
  gx.drag = async (seconds, each, radius, from = 0) => {
    begin();
    const place = (share) => [230 + radius * Math.cos(from + 6.28 * share), 230 + radius * Math.sin(from + 6.28 * share)];
    const [began, first] = [now(), requests()];
    tell("pointerdown", place(0));
    let before = await frame();
    let events = 0;
    while (now() - began < 1000 * seconds) {
      for (let k = 0; k < each; k++, events++) tell("pointermove", place((now() - began) / 1000 / seconds));
      const at = await frame();
      gx.frames.push(at - before);
      before = at;
    }
    const [up, asked, drawn] = [now(), requests(), gx.drawn.length];
    tell("pointerup", place(1));
    await gx.settled();
    const end = now();
    const sent = new Map(gx.sent.map(({ seq, at }) => [seq, at]));
    return {
      up,
      events,
      end: end - up,
      rate: (1000 * drawn) / (up - began),
      tail: (gx.drawn.at(-1)?.at ?? up) - up,
      delays: gx.drawn.filter(({ seq }) => sent.has(seq)).map(({ seq, at }) => at - sent.get(seq)),
      frames: gx.frames,
      asked: requests() - first,
      after: requests() - asked,
    };
  };

  /** The time from a key to the first frame in which a map has something on it. */
  gx.firstPaint = async () => {
    const began = await new Promise((resolve) => document.addEventListener("keydown", () => resolve(now()), { capture: true, once: true }));
    for (;;) {
      await frame();
      const canvas = document.querySelector(".gx-map canvas");
      const { data } = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
      if (data.some((value) => value)) return now() - began;
    }
  };
})();
