// A picture that is drawn by hand: strokes on a canvas, and what a model sees of them.

const GRID = 200; // a point of a stroke is a pair of whole numbers up to this
const PEN = 1 / 14; // the width of a line, as a share of the picture's height, as in print
const TALL = 0.5; // of the picture's height that the ink has, and of its width at most the next
const WIDE = 0.7;
const SMALL = 0.3; // what is smaller than this share of the canvas stays smaller: a dot is no letter

function trace(context, strokes, place) {
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(...place(stroke[0]));
    for (const point of stroke) context.lineTo(...place(point)); // to where it is, of a dot
    context.stroke();
  }
}

export class Drawing {
  // `before` is called when a stroke begins, and `after` when it has ended.
  constructor(canvas, [height, width], before, after) {
    Object.assign(this, { canvas, height, width, strokes: [] });
    canvas.width = 480;
    canvas.height = Math.round((480 * height) / width);
    let stroke = null;
    const point = (event) => {
      const { left, top, width: w, height: h } = canvas.getBoundingClientRect();
      const share = [(event.clientX - left) / w, (event.clientY - top) / h];
      return share.map((each) => Math.round(GRID * Math.min(1, Math.max(0, each))));
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button) return;
      before();
      canvas.setPointerCapture(event.pointerId);
      stroke = [point(event)];
      this.set([...this.strokes, stroke]);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!stroke || !event.isPrimary) return;
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length ? all : [event]) {
        const next = point(each);
        if (Math.hypot(next[0] - stroke.at(-1)[0], next[1] - stroke.at(-1)[1]) >= 2) stroke.push(next);
      }
      this.draw();
    });
    for (const name of ["pointerup", "pointercancel"])
      canvas.addEventListener(name, (event) => {
        if (!stroke || !event.isPrimary) return;
        stroke = null;
        after();
      });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  set(strokes) {
    this.strokes = strokes;
    this.draw();
  }

  draw() {
    const { canvas, strokes } = this;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 1.5 * PEN * canvas.height; // as the ink fills more of the canvas than of the picture
    trace(context, strokes, ([x, y]) => [(x * canvas.width) / GRID, (y * canvas.height) / GRID]);
  }

  // What a model sees: the ink, cropped, scaled and in the middle, as rows of numbers from 0 to 1; null without any.
  get picture() {
    const { height, width, strokes } = this;
    const points = strokes.flat();
    if (!points.length) return null;
    const pen = PEN * height;
    const [x, y] = [0, 1].map((axis) => {
      const all = points.map((each) => (each[axis] * (axis ? height : width)) / GRID);
      const [least, most] = [Math.min(...all), Math.max(...all)];
      return { middle: (least + most) / 2, size: most - least };
    });
    const scale = Math.min((TALL * height - pen) / Math.max(y.size, 1e-6), (WIDE * width - pen) / Math.max(x.size, 1e-6), TALL / SMALL);
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.lineWidth = pen;
    trace(context, strokes, ([px, py]) => [
      width / 2 + scale * ((px * width) / GRID - x.middle),
      height / 2 + scale * ((py * height) / GRID - y.middle),
    ]);
    const { data } = context.getImageData(0, 0, width, height);
    const ink = (row, column) => Math.round((data[4 * (row * width + column) + 3] / 255) * 100) / 100;
    return Array.from({ length: height }, (_, row) => Array.from({ length: width }, (_, column) => ink(row, column)));
  }

  // The strokes as a text for an address.
  get told() {
    return this.strokes.map((stroke) => stroke.flat().join("-")).join("_");
  }
}

// Reads such a text; what is none has no strokes.
export function strokesOf(text) {
  if (!/^\d{1,3}-\d{1,3}(?:[-_]\d{1,3}-\d{1,3})*$/.test(text)) return [];
  return text.split("_").map((stroke) => {
    const numbers = stroke.split("-").map((each) => Math.min(GRID, Number(each)));
    return Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i], numbers[2 * i + 1]]);
  });
}
