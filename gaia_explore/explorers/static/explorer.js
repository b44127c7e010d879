// The page of any explorer: it builds the layout that the kernel sends, and hands every part to its leaf.

const LEAVES = { chart: Chart, pictures: Pictures, slider: Slider, choice: Choice, checks: Checks, number: NumberInput, button: Button, text: Text, table: Table }; // prettier-ignore
const KEYS = { z: "undo", y: "redo", r: "reset", e: "export" };
const SHEET = 256;
const OFFLINE = ["A page without a kernel: it shows one state.", "A page without a kernel: what can be moved here was decoded beforehand, on a grid."]; // prettier-ignore

class View {
  constructor(model, el) {
    Object.assign(this, { model, leaves: {}, sheets: new Map(), offline: !!model.offline });
    this.root = make("div", { className: "gx", role: "group" });
    this.error = make("div", { className: "gx-error", role: "alert", hidden: true });
    this.told = make("p", { className: "gx-axes", role: "status" });
    el.append(this.root);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.link = new Link(model, (message, parts, own) => this.shown(message, parts, own), (type) => this.asking(type)); // prettier-ignore
    // JupyterLab says so when its theme changes; canvases have the old colours.
    this.themes = new MutationObserver(() => this.charts().forEach((chart) => chart.later(true)));
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name"] });
    this.link.ask({ type: "open" });
  }

  close() {
    this.link.close();
    this.themes.disconnect();
  }

  charts = () => Object.values(this.leaves).filter((leaf) => leaf instanceof Chart);

  build(node) {
    if (node.children) return make("div", { className: `gx-${node.kind}` }, ...node.children.map((child) => this.build(child)));
    if (this.offline) this.stills(node);
    const leaf = new LEAVES[node.kind](node, this);
    leaf.element.hidden = node.kind !== "button" || this.offline;
    this.leaves[node.name] = leaf;
    return leaf.element;
  }

  open({ layout, label }) {
    this.root.setAttribute("aria-label", label);
    const buttons = ["undo", "redo", "reset", "export"].map((type) =>
      make("button", { type: "button", textContent: type[0].toUpperCase() + type.slice(1), onclick: () => this.ask(type) }),
    );
    this.leaves = {};
    const main = this.build(layout);
    const help = make("p", { className: "gx-axes", textContent: this.help() });
    this.root.replaceChildren(main, this.error, ...(this.offline ? [] : [make("div", { className: "gx-bar" }, ...buttons, this.told)]), help);
  }

  /** What of this page needs to be said: keys that do something in it, and what does nothing. */
  help() {
    const charts = this.charts().filter(({ leaf }) => !leaf.still).map(({ leaf }) => leaf); // prettier-ignore
    const can = (tool) => charts.some(({ tools }) => tools?.includes(tool));
    const keys = [
      charts.some(({ layers }) => layers.some(([, kind]) => kind === "handles")) && "arrows move (Shift ×10)",
      !this.offline && "z and y undo and redo, r resets, e exports",
      can("lasso") && "Shift + drag is a lasso",
      can("anchor") && "a and 1 to 9 pick anchors",
    ].filter(Boolean);
    const walks = this.model.page?.walks.length;
    const said = this.offline ? [OFFLINE[Math.min(walks, 1)], walks > 1 ? "Sliders move one at a time: the others return to where the page began." : ""] : [];
    return [...said, keys.length ? `Keys: ${keys.join("; ")}.` : ""].filter(Boolean).join(" ");
  }

  /** Without a kernel, only what was decoded beforehand can be moved. */
  stills(node) {
    const { walks } = this.model.page;
    node.still = !walks.some(({ controls }) => node.name in controls);
    node.tools = node.tools?.filter((tool) => tool !== "anchor");
    node.movable = false;
    node.clickable = walks.some(({ stops }) => node.name in stops);
  }

  ask(type) {
    this.link.ask(["undo", "redo"].includes(type) ? { type, steps: 1 } : { type });
  }

  /** Something happened in a leaf. */
  event(name, what, value, { gesture = "", buffers = [] } = {}) {
    const content = { type: "event", name, what, value, gesture: gesture && `${this.link.view} ${gesture}` };
    // Of a gesture only the newest counts; two clicks are two.
    this.link.ask(content, { key: `${name} ${what}${gesture ? "" : ` ${(this.clicks = (this.clicks ?? 0) + 1)}`}`, buffers });
  }

  /** What is shown is stale from the first request for something else until its answer. */
  asking(type) {
    const late = type === "late" || type === "thumbnails";
    if (type && !late) this.root.toggleAttribute("data-stale", true);
    this.root.dataset.busy = late ? "" : type;
    this.root.dataset.requests = this.link.seq;
  }

  shown(message, parts, own) {
    if (own) this.root.dataset.answered = message.seq;
    const stale = this.link.underWay.size > 0;
    if (message.type === "thumbnails") return this.keepSheet(message.sheet, parts[0].arrays.rgba);
    if (message.type === "error") {
      this.error.textContent = message.text;
      for (const part of parts) this.update(part);
      // What was moved has been put back to where the pictures are of.
      if (parts.length) this.root.toggleAttribute("data-stale", stale);
      return void (this.error.hidden = false);
    }
    if (message.type === "told") this.told.textContent = message.text;
    if (message.layout && own) this.open(message);
    else if (message.layout) return;
    for (const name of message.gone ?? []) this.remove(name);
    for (const part of parts) this.update(part);
    for (const name of message.late ?? []) this.link.ask({ type: "late", name }, { key: name, late: true });
    for (const { name, more } of parts) if (more && own) this.link.ask({ type: "late", name }, { key: name, late: true });
    const answered = own && "late" in message;
    if (!answered && message.type !== "told") return;
    this.root.toggleAttribute("data-stale", stale);
    this.error.hidden = true;
  }

  update({ name, plain, arrays }) {
    const [leaf, layer] = name.split(".");
    if (!this.leaves[leaf]) return;
    this.leaves[leaf].element.hidden = false;
    this.leaves[leaf].update(layer, { plain, arrays });
    if (this.leaves[leaf].leaf.still && this.leaves[leaf] instanceof Control)
      this.leaves[leaf].element.querySelectorAll("input, select, button").forEach((input) => (input.disabled = true));
    this.root.dataset.updates = Number(this.root.dataset.updates ?? 0) + 1;
  }

  remove(name) {
    const [leaf, layer] = name.split(".");
    if (layer) this.leaves[leaf]?.remove(layer);
    else if (this.leaves[leaf]) this.leaves[leaf].element.hidden = true;
  }

  keepSheet(sheet, rgba) {
    this.sheets.set(sheet, rgba);
    this.charts().forEach((chart) => chart.showThumbnail());
  }

  /** The picture of a stimulus, if its sheet is here; otherwise it is on its way. */
  thumbnail(row) {
    if (this.offlineSheets) return row < this.offlineSheets.shape[0] ? pictureOf(this.offlineSheets, row) : null;
    const sheet = Math.floor(row / SHEET);
    if (this.sheets.has(sheet)) return pictureOf(this.sheets.get(sheet), row % SHEET);
    if (!this.offline) this.link.ask({ type: "thumbnails", sheet }, { late: true });
    return null;
  }

  mark(linked, row, kind) {
    this.charts().filter((chart) => chart.leaf.linked === linked).forEach((chart) => chart.mark(row, kind));
  }

  /** Keys are the explorer's while it has the focus: JupyterLab would delete cells on d d. Escape leaves it. */
  // Chords are JupyterLab's, which saves on Ctrl-S, but for those that undo.
  key(event) {
    const chord = event.ctrlKey || event.metaKey;
    const undoing = chord && { z: event.shiftKey ? "redo" : "undo", y: "redo" }[event.key.toLowerCase()];
    if (event.key === "Escape" || (chord && !undoing)) return;
    event.stopPropagation();
    const typing = event.target.matches("select, input:not([type=range]):not([type=checkbox]):not([type=radio])");
    const wanted = undoing || (!event.altKey && KEYS[event.key]);
    if (typing || this.offline || !wanted) return;
    if (undoing) event.preventDefault();
    this.ask(wanted);
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
