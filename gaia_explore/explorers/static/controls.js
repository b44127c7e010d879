// Leaves that are no charts: controls, pictures in a row, words and tables. Each has an element, and update(layer, content).

class Control {
  constructor(leaf, view) {
    Object.assign(this, { leaf, view });
    this.element = make("span", { className: "gx-control" });
    this.build();
  }
  set(value, options) {
    this.view.event(this.leaf.name, "set", value, options);
  }
  /** An input with its words, which name it for everybody. */
  labelled(input, words = this.leaf.label) {
    return make("label", {}, words, input);
  }
}

class Choice extends Control {
  build() {
    this.select = make("select", { onchange: () => this.set(this.select.value) });
    this.element.append(this.labelled(this.select));
  }
  update(_, { plain: { options, value } }) {
    if ([...this.select.options].map((option) => option.value).join("\n") !== options.join("\n"))
      this.select.replaceChildren(...options.map((option) => make("option", { value: option, textContent: option })));
    this.select.value = value;
  }
}

class Checks extends Control {
  build() {
    this.inputs = [];
    this.group = make("fieldset", {}, make("legend", { textContent: this.leaf.label }));
    this.element.append(this.group);
  }
  update(_, { plain: { options, chosen } }) {
    if (this.inputs.map((input) => input.value).join("\n") !== options.join("\n")) {
      const onchange = () => this.set(this.inputs.filter((input) => input.checked).map((input) => input.value));
      this.inputs = options.map((value) => make("input", { type: "checkbox", value, onchange }));
      this.group.replaceChildren(this.group.firstChild, ...this.inputs.map((input) => make("label", {}, input, input.value)));
    }
    this.inputs.forEach((input) => (input.checked = chosen.includes(input.value)));
  }
}

class NumberInput extends Control {
  build() {
    this.input = make("input", { type: "number", onchange: () => this.set(Number(this.input.value)) });
    this.element.append(this.labelled(this.input));
  }
  update(_, { plain: { value, low, high, step = 1 } }) {
    Object.assign(this.input, { min: low, max: high, step, value });
  }
}

class Button extends Control {
  build() {
    const press = () => this.view.event(this.leaf.name, "press");
    this.element.append(make("button", { type: "button", textContent: this.leaf.label, onclick: press }));
  }
  update() {}
}

class Slider extends Control {
  build() {
    this.gesture = 0;
    this.element.className = "gx-slider";
    const begin = () => this.gesture++;
    this.input = make("input", { type: "range", oninput: () => this.moved(), onpointerdown: begin, onkeydown: (event) => this.key(event, begin) });
    this.output = make("output");
    this.note = make("small");
    this.element.append(this.labelled(this.input), this.output);
    if (this.leaf.lockable) {
      this.lock = make("input", { type: "checkbox", disabled: this.view.offline, onchange: () => this.view.event(this.leaf.name, "lock", this.lock.checked) });
      this.element.append(make("label", {}, this.lock, "lock"));
    }
    if (this.leaf.play) {
      this.button = make("button", { type: "button", textContent: "Play", onclick: () => this.play() });
      this.element.append(this.button);
    }
    this.element.append(this.note);
  }
  /** Shift and an arrow go ten steps. */
  key(event, begin) {
    if (!event.repeat) begin();
    const way = event.shiftKey && { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const { min, max, step, value } = this.input;
    const far = 10 * (step === "any" ? (max - min) / 100 : Number(step));
    this.input.value = Math.min(Math.max(Number(value) + way * far, min), max);
    this.moved();
  }
  moved() {
    this.set(Number(this.input.value), { gesture: `${this.leaf.name} ${this.gesture}` });
  }
  update(layer, { plain }) {
    if (layer) return void (this.note.textContent = plain.text);
    const { value, low, high, step = "any", shown, note, locked, disabled = false } = plain;
    Object.assign(this.input, { min: low, max: high, step, disabled });
    // A drag that goes on is ahead of the kernel.
    if (![...this.view.link.pending.keys()].includes(`${this.leaf.name} set`)) this.input.value = value;
    this.output.textContent = shown ?? short(value);
    if (note !== undefined) this.note.textContent = note;
    if (this.lock) this.lock.checked = locked;
  }
  /** From here to the end (from the start, if it is there) in five seconds, as fast as answers come. */
  play() {
    if (this.timer) return this.rest();
    const [low, high] = [Number(this.input.min), Number(this.input.max)];
    let at = Number(this.input.value) >= high ? low : Number(this.input.value);
    let before = performance.now();
    this.gesture++;
    this.button.textContent = "Pause";
    const step = (now) => {
      at = Math.min(at + ((high - low) * (now - before)) / 5000, high);
      before = now;
      this.input.value = at;
      if (!this.view.link.pending.size) this.moved();
      this.timer = at < high ? requestAnimationFrame(step) : 0;
      if (!this.timer) {
        this.moved();
        this.rest();
      }
    };
    this.timer = requestAnimationFrame(step);
  }
  rest() {
    cancelAnimationFrame(this.timer);
    this.timer = 0;
    this.button.textContent = "Play";
  }
}

class Text extends Control {
  build() {
    this.element = make("p");
    this.heard = make("span", { className: "gx-heard", "aria-live": "polite" });
  }
  update(_, { plain: { text, live } }) {
    this.element.textContent = text;
    if (!live) return;
    this.element.append(this.heard);
    clearTimeout(this.timer);
    // Not while a drag goes on: nobody could follow.
    this.timer = setTimeout(() => (this.heard.textContent = text), 400);
  }
}

class Table extends Control {
  build() {
    this.element = make("table", { "aria-label": this.leaf.label });
  }
  update(_, { plain: { columns, rows } }) {
    const line = (tag, cells) =>
      make("tr", {}, ...cells.map((cell, i) => make(i ? tag : "th", { textContent: cell, scope: i ? "" : "row" })));
    const head = make("thead", {}, line("th", columns));
    this.element.replaceChildren(...(rows.length ? [head, make("tbody", {}, ...rows.map((cells) => line("td", cells)))] : []));
  }
}

class Pictures extends Control {
  build() {
    this.element = make("div", { className: "gx-pictures", role: "group", "aria-label": this.leaf.label });
    if (this.leaf.columns) this.element.style.maxWidth = `${this.leaf.columns * (this.leaf.size + 12)}px`;
    this.figures = [];
    this.names = [];
  }
  update(_, { plain: { captions = [], borders = [], chosen = -1, rows = [] }, arrays: { rgba } }) {
    const n = rgba.shape[0];
    const columns = n / rows.length;
    this.names.forEach((name) => name.remove());
    while (this.figures.length > n) this.figures.pop().element.remove();
    while (this.figures.length < n) this.figures.push(this.figure(this.figures.length));
    this.figures.forEach(({ element, canvas, context, caption }, i) => {
      const words = captions[i] ?? "";
      caption.textContent = words;
      canvas.setAttribute("aria-label", `${this.leaf.label} ${rows[Math.floor(i / columns)] ?? ""} ${words}`);
      element.style.setProperty("--gx-border", borders[i] || "");
      element.toggleAttribute("data-chosen", i === chosen);
      if (element.tabIndex === 0) element.setAttribute("aria-pressed", i === chosen);
      const picture = pictureOf(rgba, i);
      context.clearRect(0, 0, this.leaf.size, this.leaf.size);
      drawInto(context, picture, 0, 0, this.leaf.size);
    });
    this.element.toggleAttribute("data-rows", rows.length > 0);
    this.element.style.gridTemplateColumns = `auto repeat(${columns}, max-content)`;
    this.names = rows.map((textContent) => make("span", { textContent }));
    this.names.forEach((name, i) => this.figures[i * columns].element.before(name));
  }
  figure(i) {
    const [canvas, context] = canvasOf(this.leaf.size, this.leaf.size, { className: "gx-stimulus", role: "img" });
    const caption = make("figcaption");
    const element = make("figure", {}, canvas, caption);
    if (this.leaf.movable || this.leaf.clickable) this.makeMovable(element, i);
    this.element.append(element);
    return { element, canvas, context, caption };
  }
  /** A click chooses; where they are movable, a drag, or Alt and an arrow key, changes the order, and Delete removes. */
  makeMovable(element, i) {
    const { movable } = this.leaf;
    Object.assign(element, { tabIndex: 0, draggable: !!movable });
    element.setAttribute("role", "button");
    element.onclick = () => this.view.event(this.leaf.name, "click", i);
    element.ondragstart = (event) => event.dataTransfer.setData("text/plain", `${this.leaf.name} ${i}`);
    element.ondragover = (event) => event.preventDefault();
    element.ondrop = (event) => {
      event.preventDefault();
      const [name, from] = event.dataTransfer.getData("text/plain").split(" ");
      if (name === this.leaf.name) this.view.event(name, "order", { from: Number(from), to: i });
    };
    element.onkeydown = (event) => {
      const way = movable && event.altKey && { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (way) {
        // Alt and an arrow would leave the page.
        event.preventDefault();
        const to = Math.min(Math.max(i + way, 0), this.figures.length - 1);
        this.view.event(this.leaf.name, "order", { from: i, to });
        this.figures[to].element.focus();
      } else if (movable && event.key === "Delete") this.view.event(this.leaf.name, "remove", i);
      else if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        element.click();
      }
    };
  }
}
