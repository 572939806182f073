"use strict";
(function () {
  var UNITS = 100000, MOST = 50;

  // light and dark: the reader's system decides, this button overrules it
  var root = document.documentElement, theme = document.getElementById("theme");
  function remember(value) { try { if (value) localStorage.setItem("snakemrs-theme", value); return localStorage.getItem("snakemrs-theme"); } catch (e) { return null; } }
  function isDark() { var t = root.getAttribute("data-theme"); return t ? t === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; }
  function name() { theme.textContent = isDark() ? "Light" : "Dark"; }
  var kept = remember();
  if (kept === "dark" || kept === "light") root.setAttribute("data-theme", kept);
  if (theme) {
    theme.hidden = false; name();
    theme.addEventListener("click", function () { var t = isDark() ? "light" : "dark"; root.setAttribute("data-theme", t); remember(t); name(); });
  }

  // what is folded away is printed too
  addEventListener("beforeprint", function () { document.querySelectorAll("details:not([open])").forEach(function (d) { d.open = true; d.dataset.opened = "1"; }); });
  addEventListener("afterprint", function () { document.querySelectorAll("details[data-opened]").forEach(function (d) { d.open = false; delete d.dataset.opened; }); });

  // index.html#sub-01 marks that participant in the figures of the group
  var who = location.hash.match(/^#(sub-[A-Za-z0-9]+)$/), quality = document.getElementById("quality-all");
  if (who && quality) {
    var marked = 0;
    document.querySelectorAll("svg .dots title").forEach(function (t) { if (t.textContent.indexOf(who[1] + " ") === 0) { t.parentNode.classList.add("me"); marked += 1; } });
    var note = document.createElement("p"); note.textContent = marked ? who[1] + " is marked by rings in this page." : who[1] + " is in no figure of this page.";
    quality.insertBefore(note, quality.querySelector("h2").nextSibling); quality.scrollIntoView();
  }

  function ticks(low, high, count) {
    var raw = (high - low) / Math.max(count, 1), size = Math.pow(10, Math.floor(Math.log10(raw)));
    var steps = [0.5, 1, 2, 5, 10].map(function (f) { return f * size; }), at = steps.findIndex(function (s) { return s >= raw * 0.999; });
    if (at && Math.floor(high / steps[at] + 1e-9) - Math.ceil(low / steps[at] - 1e-9) < 1) at -= 1;
    var step = steps[at];
    var decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), found = [];
    for (var n = Math.ceil(low / step - 1e-9); n <= Math.floor(high / step + 1e-9); n++) {
      var text = (n * step).toFixed(decimals);
      found.push([n * step, (Number(text) ? text : text.replace("-", "")).replace("-", "−")]);
    }
    return found;
  }
  function put(box, marks, side) {
    box.textContent = "";
    marks.forEach(function (m) { var s = document.createElement("span"); s.style[side] = (100 * m[0]).toFixed(2) + "%"; s.textContent = m[1]; box.appendChild(s); });
  }

  document.querySelectorAll("figure.chart").forEach(function (chart) {
    // legend: one button a name, for all curves of that name in this figure
    chart.querySelectorAll(".key").forEach(function (key) {
      key.addEventListener("click", function () {
        var on = key.getAttribute("aria-pressed") !== "true";
        key.setAttribute("aria-pressed", String(on));
        chart.querySelectorAll("svg [data-series]").forEach(function (g) { if (g.getAttribute("data-series") === key.dataset.series) g.classList.toggle("off", !on); });
      });
    });
    if (!chart.dataset.chart) return;
    var spec = JSON.parse(chart.dataset.chart), panels = Array.from(chart.querySelectorAll(".panel"));
    var xbox = chart.querySelector(".chart-body > .xticks"), out = chart.querySelector("output");
    var low = spec.x[0], high = spec.x[1], view = { a: 0, b: 1 }, zoomY = 1;
    function value(p) { return spec.falling ? high - p * (high - low) : low + p * (high - low); }
    function place(v) { var p = (v - low) / (high - low); return spec.falling ? 1 - p : p; }

    function draw() {
      var wide = chart.clientWidth || 600, count = Math.max(3, Math.min(8, Math.floor(wide / 80)));
      var ends = [value(view.a), value(view.b)].sort(function (p, q) { return p - q; });
      var marks = spec.fixed ? null : ticks(ends[0], ends[1], count);
      if (marks) put(xbox, marks.map(function (m) { return [(place(m[0]) - view.a) / (view.b - view.a), m[1]]; }), "left");
      panels.forEach(function (panel) {
        var svg = panel.querySelector("svg"), y = JSON.parse(panel.dataset.y), zoom = panel.dataset.zoomy === "1" || panel.querySelector("[data-zero]") ? zoomY : 1;
        if (panel.dataset.zoomy !== "1") zoom = 1;
        var middle = y[0] <= 0 && y[1] >= 0 ? y[1] / (y[1] - y[0]) : 0.5, top = middle - middle / zoom, tall = 1 / zoom;
        svg.setAttribute("viewBox", view.a * UNITS + " " + top * UNITS + " " + (view.b - view.a) * UNITS + " " + tall * UNITS);
        var ybox = panel.previousElementSibling, ymarks = [];
        if (ybox.childElementCount && !panel.dataset.named) {
          var up = y[1] - top * (y[1] - y[0]), down = y[1] - (top + tall) * (y[1] - y[0]);
          ymarks = ticks(down, up, Math.max(3, Math.floor(panel.clientHeight / 45)));
          put(ybox, ymarks.map(function (m) { return [(m[0] - down) / (up - down), m[1]]; }), "bottom");
          var lines = (marks || []).map(function (m) { return "M" + Math.round(place(m[0]) * UNITS) + " 0v" + UNITS; });
          lines = lines.concat(ymarks.map(function (m) { return "M0 " + Math.round((y[1] - m[0]) / (y[1] - y[0]) * UNITS) + "h" + UNITS; }));
          if (marks) svg.querySelector(".grid").setAttribute("d", lines.join(""));
        } else if (marks && !panel.dataset.named) {
          svg.querySelector(".grid").setAttribute("d", marks.map(function (m) { return "M" + Math.round(place(m[0]) * UNITS) + " 0v" + UNITS; }).join(""));
        }
        panel.querySelectorAll(".note").forEach(function (note) {
          var x = (Number(note.dataset.x) / 100 - view.a) / (view.b - view.a);
          note.style.left = 100 * (note.dataset.y !== undefined && Number(note.dataset.x) === 0 ? 0 : x) + "%";
          if (note.dataset.y !== undefined) note.style.bottom = 100 * (1 - ((1 - Number(note.dataset.y) / 100) - top) / tall) + "%";
        });
      });
      chart.dataset.view = value(view.a).toFixed(3) + " " + value(view.b).toFixed(3) + " " + zoomY.toFixed(2);
    }
    function setView(a, b) {
      var width = Math.min(1, Math.max(1 / MOST, b - a)), middle = (a + b) / 2;
      a = Math.min(1 - width, Math.max(0, middle - width / 2));
      view.a = a; view.b = a + width; draw();
    }
    function zoom(factor, at) { var p = view.a + at * (view.b - view.a); setView(p - at * (view.b - view.a) / factor, p + (1 - at) * (view.b - view.a) / factor); }
    function move(share) { var w = (view.b - view.a) * share; setView(view.a + w, view.b + w); }
    function stretch(factor) { zoomY = Math.min(MOST, Math.max(1, zoomY * factor)); draw(); }
    function act(what) {
      if (what === "in") zoom(1.5, 0.5); else if (what === "out") zoom(1 / 1.5, 0.5); else if (what === "left") move(-0.25);
      else if (what === "right") move(0.25); else if (what === "up") stretch(1.4); else if (what === "down") stretch(1 / 1.4);
      else if (what === "reset") { zoomY = 1; setView(0, 1); } else return false;
      return true;
    }
    new ResizeObserver(draw).observe(chart);
    draw();
    if (!chart.classList.contains("zoomable")) return;
    chart.querySelector(".zoom-buttons").hidden = false;
    chart.querySelectorAll("[data-do]").forEach(function (b) { b.addEventListener("click", function () { act(b.dataset.do); }); });
    var KEYS = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", "0": "reset", Escape: "reset", Home: "reset" };
    chart.addEventListener("keydown", function (e) {
      if (e.target !== chart || e.ctrlKey || e.metaKey || e.altKey) return;
      if (KEYS[e.key] && act(KEYS[e.key])) e.preventDefault();
    });
    panels.forEach(function (panel) {
      var start = null, box = null;
      function at(e) { var r = panel.getBoundingClientRect(); return Math.min(1, Math.max(0, (e.clientX - r.left) / r.width)); }
      // the wheel scrolls the page until the figure has been clicked or reached by the tabulator
      panel.addEventListener("wheel", function (e) {
        if (!chart.contains(document.activeElement) && !e.ctrlKey) return;
        e.preventDefault();
        if (e.shiftKey) stretch(e.deltaY + e.deltaX < 0 ? 1.2 : 1 / 1.2); else zoom(e.deltaY < 0 ? 1.25 : 1 / 1.25, at(e));
      }, { passive: false });
      panel.addEventListener("pointerdown", function (e) {
        if (e.button !== 0) return;
        chart.focus({ preventScroll: true });
        if (e.pointerType === "touch") return;
        start = at(e); panel.setPointerCapture(e.pointerId);
        box = document.createElement("div"); box.className = "select-box"; panel.appendChild(box);
      });
      panel.addEventListener("pointermove", function (e) {
        var p = at(e);
        if (out && !spec.fixed) out.textContent = value(view.a + p * (view.b - view.a)).toFixed(spec.falling ? 3 : 2).replace("-", "−") + (spec.falling ? " ppm" : "");
        if (box) { box.style.left = 100 * Math.min(p, start) + "%"; box.style.width = 100 * Math.abs(p - start) + "%"; }
      });
      function done(e) {
        if (!box) return;
        var p = at(e), a = Math.min(p, start), b = Math.max(p, start), w = view.b - view.a, from = view.a;
        box.remove(); box = null;
        if (e.type === "pointerup" && b - a > 0.01) setView(from + a * w, from + b * w);
      }
      panel.addEventListener("pointerup", done);
      panel.addEventListener("pointercancel", done);
      panel.addEventListener("pointerleave", function () { if (out && !box) out.textContent = ""; });
      panel.addEventListener("dblclick", function () { act("reset"); });
    });
  });
})();
