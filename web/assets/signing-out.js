// Goes on when all frames have come, or after three seconds. Without script, the page's link does, or the browser by itself.
(function () {
  var link = document.getElementById("next");
  function leave() {
    if (link) {
      window.location.replace(link.href);
      link = null;
    }
  }
  window.addEventListener("load", leave);
  window.setTimeout(leave, 3000);
})();
