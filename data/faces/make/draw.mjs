// Draws faces: `node draw.mjs SIZE < faces.json > pixels`.
//
// faces.json is a list of {face, turn, nod}: `face` as facesjs takes it, but with the names of INKS for colours; `turn`
// and `nod` from -1 to 1. Eight bytes a pixel, row by row: red, green and blue where every ink is black, then the share
// of each ink in 255ths. Drawing is linear in the inks, so that these eight give the pixel for any colours of the inks.
import { readFileSync, writeSync } from "node:fs";
import { Resvg } from "@resvg/resvg-js";
// The package exports no renderer of single features, and no features: these two are files inside it.
import { faceToSvgString } from "./node_modules/facesjs/build/faceToSvgString.js";
import svgs from "./node_modules/facesjs/build/svgs.js";

const INKS = ["skin-ink", "hair-ink", "frame-ink", "hat-ink", "edge-ink"];
const PLATES = [[], INKS.slice(0, 3), INKS.slice(3)]; // inks printed together, in red, green and blue
const PURE = ["#ff0000", "#00ff00", "#0000ff"];
const CROP = "12 134 376 376"; // of facesjs's 400 x 600: from above the hairline to just below the chin
const BACKGROUND = "#f0f0f0";

// facesjs's own order from back to front, and how far each moves across and up as the head turns and nods.
const FEATURES = {
  hairBg: [-6, 0],
  body: [0, 0],
  ear: [-4, 0],
  head: [0, 0],
  eyeLine: [14, 10],
  smileLine: [14, 8],
  miscLine: [14, 10],
  facialHair: [6, 0],
  eye: [14, 10],
  eyebrow: [14, 10],
  mouth: [14, 8],
  nose: [22, 14],
  hair: [0, 0],
  glasses: [14, 10],
  accessories: [0, 0],
};

const alter = (feature, id, from, to) => {
  svgs[feature][id] = svgs[feature][id].replaceAll(from, to);
};
// Lines of 2 units are a third of a pixel at 64.
for (const feature of ["eyeLine", "smileLine", "miscLine"]) {
  for (const id in svgs[feature]) alter(feature, id, 'stroke-width="2"', 'stroke-width="5"');
}
// Multiplied colours are not linear in the inks.
for (const id in svgs.mouth) alter("mouth", id, "mix-blend-mode:multiply;", "");
// The whole frame has the colour of its temples.
alter("glasses", "glasses1-primary", "#333", "$[primary]");

const part = (face, name, turn, nod) => {
  const alone = structuredClone(face);
  for (const other in FEATURES) {
    if (other !== name) alone[other].id = "none";
  }
  const drawn = faceToSvgString(alone);
  const [across, up] = FEATURES[name];
  const inner = drawn.slice(drawn.indexOf(">") + 1, drawn.lastIndexOf("</svg>"));
  return `<g transform="translate(${across * turn} ${-up * nod})">${inner}</g>`;
};

const print = (svg, plate) => {
  const colour = (ink) => PURE[plate.indexOf(ink)] ?? "#000000";
  const inked = INKS.reduce((text, ink) => text.replaceAll(ink, colour(ink)), svg);
  return new Resvg(inked, { background: BACKGROUND, font: { loadSystemFonts: false } }).render().pixels;
};

const draw = ({ face, turn, nod }, size) => {
  const parts = Object.keys(FEATURES).map((name) => part(face, name, turn, nod));
  const frame = `width="${size}" height="${size}" viewBox="${CROP}"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${frame}>${parts.join("")}</svg>`;
  const [black, ...coloured] = PLATES.map((plate) => print(svg, plate));
  const pixels = new Uint8Array(size * size * (3 + INKS.length));
  let at = 0;
  for (let rgba = 0; rgba < black.length; rgba += 4) {
    for (let c = 0; c < 3; c++) pixels[at++] = black[rgba + c];
    INKS.forEach((_, ink) => {
      const [plate, c] = [Math.floor(ink / 3), ink % 3];
      pixels[at++] = Math.max(coloured[plate][rgba + c] - black[rgba + c], 0);
    });
  }
  return pixels;
};

const size = Number(process.argv[2]);
for (const face of JSON.parse(readFileSync(0, "utf8"))) {
  const pixels = draw(face, size);
  for (let written = 0; written < pixels.length; ) written += writeSync(1, pixels, written);
}
