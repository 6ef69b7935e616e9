
"use strict";
const view = document.getElementById("view"), over = document.getElementById("over");
const divider = document.getElementById("divider"), choice = document.getElementById("choice");
const images = view.querySelectorAll("img"), layers = over.querySelectorAll("img");
const legends = document.querySelectorAll(".legend");
const size = [Number(view.dataset.width), Number(view.dataset.height)];
let scale = 1, left = 0, top_ = 0, split = 0.5;

function whole() {
  scale = Math.min(view.clientWidth / size[0], view.clientHeight / size[1]);
  left = (view.clientWidth - scale * size[0]) / 2;
  top_ = (view.clientHeight - scale * size[1]) / 2;
  draw();
}

// Some of the scene stays in sight.
function within(at, length, room) {
  return Math.min(Math.max(at, Math.min(80, room / 2) - length), room - Math.min(80, room / 2));
}

function draw() {
  left = within(left, scale * size[0], view.clientWidth);
  top_ = within(top_, scale * size[1], view.clientHeight);
  for (const image of images) {
    image.style.transform = `translate(${left}px,${top_}px) scale(${scale})`;
  }
  view.classList.toggle("large", scale > 2);
  divider.style.left = `${100 * split}%`;
  divider.setAttribute("aria-valuenow", Math.round(100 * split));
  over.style.clipPath = `inset(0 0 0 ${100 * split}%)`;
}

function zoom(factor, x, y) {
  const next = Math.min(Math.max(scale * factor, 0.02), 40);
  left = x - (x - left) * next / scale;
  top_ = y - (y - top_) * next / scale;
  scale = next;
  draw();
}

function place(event) {
  const box = view.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function divide(to) {
  split = Math.min(Math.max(to, 0), 1);
  draw();
}

function show(index) {
  layers.forEach((layer, n) => { layer.hidden = n !== index; });
  legends.forEach((legend, n) => { legend.hidden = n !== index; });
}

const fingers = new Map();
let dividing = false;
view.addEventListener("pointerdown", (event) => {
  dividing = event.target === divider;
  fingers.set(event.pointerId, place(event));
  view.setPointerCapture(event.pointerId);
  view.classList.add("moving");
});
view.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) { return; }
  const now = place(event);
  if (dividing) {
    divide(now[0] / view.clientWidth);
  } else if (fingers.size === 1) {
    left += now[0] - before[0];
    top_ += now[1] - before[1];
    draw();
  } else {
    const [, other] = [...fingers].find(([id]) => id !== event.pointerId);
    const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
    zoom(apart(now) / apart(before), other[0], other[1]);
  }
  fingers.set(event.pointerId, now);
});
for (const name of ["pointerup", "pointercancel"]) {
  view.addEventListener(name, (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size === 0) { view.classList.remove("moving"); }
  });
}
view.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), ...place(event));
}, { passive: false });
divider.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
  if (step) {
    event.preventDefault();
    divide(split + step);
  }
});
const middle = () => [view.clientWidth / 2, view.clientHeight / 2];
document.getElementById("larger").addEventListener("click", () => zoom(1.5, ...middle()));
document.getElementById("smaller").addEventListener("click", () => zoom(1 / 1.5, ...middle()));
document.getElementById("whole").addEventListener("click", whole);
document.getElementById("opacity").addEventListener("input", (event) => {
  over.style.opacity = event.target.value / 100;
});
if (choice) { choice.addEventListener("change", () => show(choice.selectedIndex)); }
window.addEventListener("resize", draw);
show(0);
whole();
