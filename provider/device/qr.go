package device

import (
	"fmt"
	"net/http"
	"strings"

	"rsc.io/qr"

	"signet/provider/problem"
)

// QR draws the address of the page with a code filled in, black on white, for devices that can show a picture and do not draw themselves. It
// asks nobody whether there is such a code.
func (e *Endpoint) QR(w http.ResponseWriter, r *http.Request) error {
	code, ok := readCode(r.URL.Query().Get(codeParam))
	if !ok {
		return &problem.Problem{Title: "There is nothing here", What: "This is no code of a device: those have eight letters.", Who: problem.Developer,
			How: "user_code has to be the one of the device authorization response (RFC 8628 section 3.2)."}
	}
	drawn, err := draw(strings.TrimSuffix(e.Issuer.Issuer, "/") + page(code))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // the device's own page shows it
	_, err = w.Write([]byte(drawn))
	if err != nil {
		return nil // whoever asked has left
	}
	return nil
}

// quiet is the margin that readers want, in modules: ISO/IEC 18004 section 9.1.
const quiet = 4

// draw makes an SVG of a text. Level M still reads where a seventh of it is glare.
func draw(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("device: QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	side := code.Size + 2*quiet
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`,
		side, side, side, side, path.String()), nil
}
