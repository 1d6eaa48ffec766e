// Tells apps that hold this page in a frame whether the login state of the browser is still the one that they know: OpenID Connect
// Session Management 1.0, sections 3.2 and 4.2. Plain old JavaScript, and a SHA-256 of its own: crypto.subtle answers later, and not everywhere.
(function () {
  "use strict";

  var cookie = document.getElementById("check").getAttribute("data-cookie");

  // state is the login state; "" where it cannot be read: the browser keeps cookies from frames of other sites, or apart for them.
  function state() {
    var all, found = [], i;
    try {
      all = document.cookie.split("; ");
    } catch (refused) {
      return "";
    }
    for (i = 0; i < all.length; i++) {
      if (all[i].indexOf(cookie + "=") === 0) {
        found.push(all[i].substring(cookie.length + 1));
      }
    }
    return found.length === 1 ? found[0] : "";
  }

  // answer is what is said to a message: section 3.1.
  function answer(message, origin) {
    var parts = message.length > 1000 ? null : /^([^ ]+) ([0-9a-f]{64})\.([0-9A-Za-z_-]+)$/.exec(message);
    var now = state();
    if (!parts || now === "") {
      return "error";
    }
    return sha256(parts[1] + " " + origin + " " + now + " " + parts[3]) === parts[2] ? "unchanged" : "changed";
  }

  // fromParent: section 3.2, "the caller has the same origin as its parent frame". Where the browser does not tell, the hash does: a session
  // state is of one origin.
  function fromParent(origin) {
    var above = window.location.ancestorOrigins;
    if (above && above.length > 0) {
      return above[0] === origin;
    }
    return !document.referrer || (document.referrer + "/").indexOf(origin + "/") === 0;
  }

  window.addEventListener("message", function (event) {
    // Whatever else is sent around in a page is not for us, our own answers least of all.
    if (typeof event.data !== "string" || !event.source || event.source === window || event.origin === "null" || !fromParent(event.origin)) {
      return;
    }
    event.source.postMessage(answer(event.data, event.origin), event.origin);
  }, false);

  var K = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
  ];

  // sha256 is FIPS 180-4, section 6.2, of a text in UTF-8, in hexadecimal. It throws for a text that has none.
  function sha256(text) {
    var bytes = unescape(encodeURIComponent(text));
    var bits = bytes.length * 8;
    var h = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
    var w = [], hex = "", v, at, i, one, two;
    bytes += "\x80";
    while (bytes.length % 64 !== 56) {
      bytes += "\x00";
    }
    bytes += "\x00\x00\x00\x00"; // a message is never so long that its length needs these
    for (i = 24; i >= 0; i -= 8) {
      bytes += String.fromCharCode((bits >>> i) & 255);
    }
    for (at = 0; at < bytes.length; at += 64) {
      v = h.slice(0);
      for (i = 0; i < 64; i++) {
        if (i < 16) {
          one = at + 4 * i;
          w[i] = bytes.charCodeAt(one) << 24 | bytes.charCodeAt(one + 1) << 16 | bytes.charCodeAt(one + 2) << 8 | bytes.charCodeAt(one + 3);
        } else {
          one = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >>> 3;
          two = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >>> 10;
          w[i] = (w[i - 16] + one + w[i - 7] + two) | 0;
        }
        one = (v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + (v[4] & v[5] ^ ~v[4] & v[6]) + K[i] + w[i]) | 0;
        two = ((turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + (v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2])) | 0;
        v = [(one + two) | 0, v[0], v[1], v[2], (v[3] + one) | 0, v[4], v[5], v[6]];
      }
      for (i = 0; i < 8; i++) {
        h[i] = (h[i] + v[i]) | 0;
      }
    }
    for (i = 0; i < 8; i++) {
      hex += ("0000000" + (h[i] >>> 0).toString(16)).slice(-8);
    }
    return hex;
  }

  function turn(word, by) {
    return word >>> by | word << (32 - by);
  }
})();
