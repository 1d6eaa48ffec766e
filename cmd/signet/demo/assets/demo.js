// Counts the tokens' time down. Without script the page says what was left when it was made, and until when.
(function () {
  var made = performance.now();
  var items = document.querySelectorAll("[data-left]");

  function words(left) {
    var h = Math.floor(left / 3600), m = Math.floor(left / 60) % 60, s = left % 60;
    if (left === 0) return "expired";
    if (h > 0) return h + " h " + m + " min left";
    if (m > 0) return m + " min " + s + " s left";
    return s + " s left";
  }

  function tick() {
    var passed = Math.floor((performance.now() - made) / 1000);
    for (var i = 0; i < items.length; i++) {
      var left = Math.max(0, Number(items[i].getAttribute("data-left")) - passed);
      items[i].textContent = words(left);
      var bar = items[i].parentNode.querySelector("progress");
      if (bar) bar.value = left;
    }
  }

  if (items.length) setInterval(tick, 1000);
})();
